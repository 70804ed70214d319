"""The addresses of the pages. Each view has one that can be sent to a colleague; `views.py` makes what is seen."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from . import views, views_atlas, views_live
from .addresses import parse_unit, unit_page_address
from .answering import consistent
from .parameters import AtlasName, LayerName, StoreName, Where
from .registry import Registry

router = APIRouter(include_in_schema=False, default_response_class=Response)

HowMany = Annotated[int, Query(ge=1, le=200)]
OnMap = Annotated[int | None, Query(ge=0, le=2**53, description="an image to look for")]
Plain = Annotated[bool, Query(description="the grid as a picture, without the viewer")]
Place = Annotated[int | None, Query(ge=0, le=100_000, description="default: the middle")]


@router.get("/")
def home(request: Request) -> Response:
    """The stores; with one alone, its page."""
    registry: Registry = request.app.state.registry
    names = registry.names()
    if len(names) == 1:
        return RedirectResponse(f"/stores/{quote(names[0], safe='')}")
    return views.home(request, registry)


@router.get("/stores/{store}")
def overview(request: Request, store: StoreName) -> Response:
    """What was swept, and the three questions."""
    return consistent(request, store, lambda served: views.overview(request, served))


@router.get("/stores/{store}/go")
def go(request: Request, store: StoreName, unit: Annotated[str, Query(max_length=400)] = "") -> Response:
    """ "features.10 17" as typed by a person, as an address."""
    layer, number = consistent(request, store, lambda served: parse_unit(served.store, unit))
    return RedirectResponse(unit_page_address(store, layer, number))


@router.get("/stores/{store}/layers/{layer}")
def layer_page(
    request: Request, store: StoreName, layer: LayerName, start: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """The units of a layer, each with its best patch."""
    return consistent(request, store, lambda served: views.layer(request, served, layer, start))


@router.get("/stores/{store}/units/{layer}/{unit}")
def unit_page(
    request: Request,
    store: StoreName,
    layer: LayerName,
    unit: int,
    *,
    where: Where = None,
    k: HowMany = views.PATCHES,
) -> Response:
    """Which patches fire this unit?"""
    return consistent(
        request, store, lambda served: views.unit(request, served, layer, unit, k=k, where=where)
    )


@router.get("/stores/{store}/neighbors")
def neighbors_page(
    request: Request,
    store: StoreName,
    image: Annotated[int, Query(ge=0, le=2**53)] = 0,
    where: Where = None,
    k: HowMany = views.NEIGHBORS,
) -> Response:
    """What does the model find like this image?"""
    return consistent(request, store, lambda served: views.neighbors(request, served, image, k, where))


@router.get("/stores/{store}/atlas")
def any_atlas_page(
    request: Request,
    store: StoreName,
    row: Place = None,
    column: Place = None,
    image: OnMap = None,
    plain: Plain = False,
) -> Response:
    """What does the whole dataset look like to the model?"""
    look = views_atlas.Look(None, row, column, image, plain)
    return consistent(request, store, lambda served: views_atlas.atlas(request, served, look))


@router.get("/stores/{store}/atlas/{atlas}")
def atlas_page(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    row: Place = None,
    column: Place = None,
    image: OnMap = None,
    plain: Plain = False,
) -> Response:
    """The same, of one atlas."""
    look = views_atlas.Look(atlas, row, column, image, plain)
    return consistent(request, store, lambda served: views_atlas.atlas(request, served, look))


@router.get("/stores/{store}/live")
def live_page(
    request: Request, store: StoreName, layer: Annotated[str | None, Query(max_length=300)] = None
) -> Response:
    """What does the network see in front of the camera?"""
    return consistent(request, store, lambda served: views_live.live(request, served, layer))
