"""The API's units: lists of them, one of them, its patches, its classes, and those that fire alike."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ...index.analysis.units import UnitQuery, UnitSort
from ..http.openapi import TABLE
from ..http.responses import answer
from ..http.strict_params import StrictRoute
from ..params.common import Cursor, K, LayerName, Limit, Number, Order, StoreName, Where, is_descending
from ..queries import units as unit_queries
from ..queries.patches import PatchQuery, patches
from ..schemas.units import OneUnitAnswer, PatchesAnswer, SimilarUnitsAnswer, UnitClassesAnswer, UnitsAnswer

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)

Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
Label = Annotated[str | None, Query(max_length=1000, description="the label that a unit fires most for")]
Quantile = Annotated[
    float | None,
    Query(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="patches around this quantile of the maxima; default: the strongest",
    ),
]


@router.get("/{store}/layers/{layer:layer}/units", response_model=UnitsAnswer, responses=TABLE)
def list_units(
    request: Request,
    store: StoreName,
    layer: LayerName,
    *,
    sort: Annotated[UnitSort, Query(description="equal ones by number, those without a value last")] = "unit",
    order: Order = None,
    dead: Annotated[bool | None, Query(description="no image with a maximum above 0")] = None,
    min_active: Share = None,
    max_active: Share = None,
    min_selectivity: Share = None,
    label: Label = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return the units of a layer that pass some filters, with their statistics and ranks, a page at a time."""
    query = UnitQuery(
        sort=sort,
        descending=is_descending(order),
        dead=dead,
        min_active=min_active,
        max_active=max_active,
        min_selectivity=min_selectivity,
        label=label,
    )
    return answer(
        request, store, lambda served: unit_queries.units(served, layer, query, cursor=cursor, limit=limit)
    )


@router.get("/{store}/layers/{layer:layer}/units/{unit}", response_model=OneUnitAnswer, responses=TABLE)
def one_unit(
    request: Request, store: StoreName, layer: LayerName, unit: Number, *, where: Where = None
) -> Response:
    """Return one unit: statistics with their ranks in the layer, a histogram and quantiles of its maxima."""
    return answer(request, store, lambda served: unit_queries.unit(served, layer, unit, where))


@router.get(
    "/{store}/layers/{layer:layer}/units/{unit}/patches", response_model=PatchesAnswer, responses=TABLE
)
def unit_patches(
    request: Request,
    store: StoreName,
    layer: LayerName,
    unit: Number,
    *,
    k: K = 9,
    where: Where = None,
    quantile: Quantile = None,
) -> Response:
    """Return a unit's strongest patches, or those around a quantile, over all images or those that a filter keeps."""
    return answer(
        request,
        store,
        lambda served: patches(served, PatchQuery(layer, unit, k, where, quantile)),
    )


@router.get(
    "/{store}/layers/{layer:layer}/units/{unit}/classes", response_model=UnitClassesAnswer, responses=TABLE
)
def unit_classes(
    request: Request,
    store: StoreName,
    layer: LayerName,
    unit: Number,
    *,
    where: Where = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return what a unit does in the images of each class, a page at a time."""
    return answer(
        request,
        store,
        lambda served: unit_queries.unit_classes(served, layer, unit, where, cursor=cursor, limit=limit),
    )


@router.get(
    "/{store}/layers/{layer:layer}/units/{unit}/similar", response_model=SimilarUnitsAnswer, responses=TABLE
)
def similar_units(
    request: Request, store: StoreName, layer: LayerName, unit: Number, *, k: K = 10
) -> Response:
    """Return the units of the layer that fire most in the same images."""
    return answer(request, store, lambda served: unit_queries.similar_units(served, layer, unit, k=k))
