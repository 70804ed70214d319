"""The addresses of the pages of a store and its units. Each view has one that can be sent to a colleague.

What is seen is made by the module of each page; the pages of images are in `image_routes.py`.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from ...index.analysis.units import UnitQuery, UnitSort
from ..http.responses import consistent
from ..params.common import MAX_LAYER, LayerName, Order, StoreName, is_descending
from ..stores.registry import Registry
from . import atlas_routes
from . import image_routes as pages_images
from . import layer as views_layer
from . import live as views_live
from . import overview as views_overview
from . import search as views_go
from . import unit as views_unit
from .rendering.page_params import EMPTY, HowMany, Name, Share, Start, Where
from .rendering.strict_params import StrictPage
from .rendering.urls import store_url

router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=StrictPage)
for _part in (pages_images, atlas_routes):
    router.routes.extend(_part.router.routes)

Typed = Annotated[
    str, Query(max_length=1000, description="what a person types: features.10 17, image 5, cat")
]


@router.get("/")
def home(request: Request) -> Response:
    """Return the stores; with one alone, its page."""
    registry: Registry = request.app.state.registry
    names = registry.names()
    if len(names) == 1:
        return RedirectResponse(store_url(names[0]))
    return views_overview.home(request, registry)


@router.get("/stores/{store}")
def overview(request: Request, store: StoreName) -> Response:
    """Return what was swept, what is noteworthy, and the three questions."""
    return consistent(request, store, lambda served: views_overview.overview(request, served))


@router.get("/stores/{store}/go")
def go(
    request: Request,
    store: StoreName,
    q: Typed = "",
    at: Annotated[str | None, Query(max_length=MAX_LAYER, description="the layer at hand")] = None,
) -> Response:
    """Return the page that was meant by what was typed."""
    return consistent(request, store, lambda served: views_go.go(request, served, q, at))


@router.get("/stores/{store}/layers/{layer:layer}")
def layer_page(
    request: Request,
    store: StoreName,
    layer: LayerName,
    *,
    sort: UnitSort = "unit",
    order: Annotated[Order, EMPTY] = None,
    dead: Annotated[bool | None, EMPTY, Query()] = None,
    min_active: Share = None,
    max_active: Share = None,
    min_selectivity: Share = None,
    label: Name = None,
    start: Start = 0,
    filters: bool = False,
) -> Response:
    """Return the units of a layer, each with its best patch."""
    descending = is_descending(order)
    query = UnitQuery(sort, descending, dead, min_active, max_active, min_selectivity, label)
    asked = {
        "sort": None if sort == "unit" else sort,
        "order": order,
        "dead": None if dead is None else str(dead).lower(),
        "min_active": min_active,
        "max_active": max_active,
        "min_selectivity": min_selectivity,
        "label": label,
        "start": start or None,
        "filters": filters,
    }
    return consistent(
        request,
        store,
        lambda served: views_layer.layer(
            request, served, layer, query, start=start, asked=asked, weights=filters
        ),
    )


@router.get("/stores/{store}/units/{layer:layer}/{unit}")
def unit_page(
    request: Request,
    store: StoreName,
    layer: LayerName,
    unit: int,
    *,
    where: Where = None,
    quantile: Share = None,
    k: HowMany = views_unit.PATCHES,
    classes: Annotated[Literal["all"] | None, Query()] = None,
    similar: bool = False,
    filters: bool = False,
) -> Response:
    """Return which patches fire this unit?"""
    look = views_unit.UnitLook(layer, unit, k, where, quantile, classes == "all", similar, filters)
    return consistent(request, store, lambda served: views_unit.unit(request, served, look))


@router.get("/stores/{store}/live")
def live_page(
    request: Request, store: StoreName, layer: Annotated[str | None, Query(max_length=MAX_LAYER)] = None
) -> Response:
    """Return what does the network see in front of the camera?"""
    return consistent(request, store, lambda served: views_live.live(request, served, layer))
