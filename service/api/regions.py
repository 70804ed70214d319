"""The API's regions of an atlas: what lies in one, and what sets it apart; and where some items lie."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..http.openapi import TABLE
from ..http.responses import answer_from
from ..http.strict_params import StrictRoute
from ..params.atlas import AtlasParam
from ..params.common import MAX_LAYER, Cursor, K, Limit, Number, StoreName
from ..params.region import RegionParam, WhereOfItems
from ..queries.atlas import regions as region_queries
from ..schemas.atlases import ViewName
from ..schemas.regions import CounterpartAnswer, ExtentAnswer, RegionAnswer, RegionItems, RegionUnitsAnswer
from ..stores.registry import Registry, ServedStore
from ..stores.versioned import Version

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)


@router.get("/{store}/atlases/{atlas:layer}/region", response_model=RegionAnswer, responses=TABLE)
def region(asked: RegionParam) -> Response:
    """Return how many items lie in a region, and of which classes, against the rest of the map."""
    return asked.answer(region_queries.region)


@router.get("/{store}/atlases/{atlas:layer}/region/items", response_model=RegionItems, responses=TABLE)
def region_items(asked: RegionParam, *, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Return the images, units or samples of a region, a page at a time."""
    return asked.answer(lambda drawn: region_queries.region_items(drawn, cursor=cursor, limit=limit))


@router.get("/{store}/atlases/{atlas:layer}/region/units", response_model=RegionUnitsAnswer, responses=TABLE)
def region_units(
    asked: RegionParam,
    *,
    layer: Annotated[
        str | None,
        Query(
            max_length=MAX_LAYER, description="default: all layers; of an atlas of activations its own alone"
        ),
    ] = None,
    k: K = 20,
) -> Response:
    """Return the units that stand out most in a region: of images by their maxima, of samples by their activations."""
    return asked.answer(lambda drawn: region_queries.characteristic_units(drawn, layer=layer, k=k))


@router.get("/{store}/atlases/{atlas:layer}/extent", response_model=ExtentAnswer, responses=TABLE)
def extent(
    asked: AtlasParam,
    *,
    where: WhereOfItems,
    grid: ViewName = "nearest",
) -> Response:
    """Return where the items that a filter keeps lie: a filter over the images, or over the statistics of units."""
    return asked.answer(lambda shown: region_queries.extent(shown, grid, where))


@router.get("/{store}/images/{image_id}/counterpart", response_model=CounterpartAnswer, responses=TABLE)
def counterpart(
    request: Request,
    store: StoreName,
    image_id: Number,
    other: Annotated[str, Query(max_length=300, description="another store, as /api/v1/stores lists them")],
) -> Response:
    """Return the same image, by its uri, in another store of this service."""
    registry: Registry = request.app.state.registry

    def part(served: ServedStore) -> Version[ServedStore]:
        there = served if other == served.name else registry.get(other).value
        return Version(there, there.hash, (there.hash,))

    return answer_from(
        request,
        store,
        part,
        lambda served, there: region_queries.counterpart(served, image_id, there),
    )
