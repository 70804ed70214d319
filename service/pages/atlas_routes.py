"""The addresses of the pages of an atlas: the viewer, a region, and the pieces of them that its script asks for."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from ..http.responses import consistent
from ..params.atlas import AtlasVersion, SpotParam
from ..params.common import AtlasName, StoreName
from ..params.overlay import ColoringParam, colored_atlas
from ..params.region import Region
from ..queries.atlas.regions import Selection
from ..queries.atlas.served_atlas import served_atlas
from ..schemas.atlases import ViewName
from ..stores.registry import ServedStore
from . import atlas as views_atlas
from . import atlas_region as views_region
from .map_viewer import Nearest
from .rendering.page_params import EMPTY, Start
from .rendering.strict_params import StrictPage

router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=StrictPage)

OnMap = Annotated[
    int | None, EMPTY, Query(ge=0, le=2**53, description="an image, unit or sample to look for")
]
Plain = Annotated[bool, Query(description="the grid as a picture, without the viewer")]
Place = Annotated[int | None, Query(ge=0, le=100_000, description="default: the middle")]
Beside = Annotated[
    str | None,
    EMPTY,
    Query(max_length=2400, description="ATLAS of this store, or STORE/ATLAS, to compare with"),
]


def _look(
    *,
    row: Place = None,
    column: Place = None,
    item: OnMap = None,
    plain: Plain = False,
    beside: Beside = None,
) -> views_atlas.Look:
    there, _, other = (beside or "").rpartition("/")
    return views_atlas.Look(None, row, column, item, plain, other or None, there or None)


AtlasPageParam = Annotated[views_atlas.Look, Depends(_look)]


@router.get("/stores/{store}/atlas")
def any_atlas_page(request: Request, store: StoreName, look: AtlasPageParam) -> Response:
    """Return the first atlas of the images: the whole dataset as the model sees it."""
    return consistent(request, store, lambda served: views_atlas.atlas(request, served, look))


@router.get("/stores/{store}/atlas/{atlas:layer}")
def atlas_page(request: Request, store: StoreName, atlas: AtlasName, look: AtlasPageParam) -> Response:
    """Return one atlas: of the images, of a layer's units, or of its activations."""
    named = replace(look, name=atlas)
    return consistent(request, store, lambda served: views_atlas.atlas(request, served, named))


@router.get("/stores/{store}/atlas/{atlas:layer}/at")
def atlas_panel(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    spot: SpotParam,
    *,
    nearest: Nearest = False,
    v: AtlasVersion = None,
) -> Response:
    """Return what lies at a place of the map, for the viewer."""

    def make(served: ServedStore) -> Response:
        shown = served_atlas(served, atlas, v).value
        return views_atlas.panel(request, shown, spot, or_nearest=nearest)

    return consistent(request, store, make)


@router.get("/stores/{store}/atlas/{atlas:layer}/region")
def region_page(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    region: Region,
    grid: ViewName = "nearest",
    start: Start = 0,
    part: Literal["facts", "units"] | None = None,
    v: AtlasVersion = None,
) -> Response:
    """Return which items lie in a region, and what sets them apart. part: of the page, for the viewer."""

    def make(served: ServedStore) -> Response:
        selection = Selection(served_atlas(served, atlas, v).value, grid, region)
        return views_region.region(request, selection, start=start, part=part)

    return consistent(request, store, make)


@router.get("/stores/{store}/atlas/{atlas:layer}/legend")
def legend(
    request: Request, store: StoreName, atlas: AtlasName, asked: ColoringParam, *, v: AtlasVersion = None
) -> Response:
    """Return what the colors of an overlay mean, for the viewer."""
    colored = colored_atlas(request, lambda served: served_atlas(served, atlas, v), asked)
    return consistent(
        request, store, lambda served: views_region.legend(request, served, colored(served).value)
    )
