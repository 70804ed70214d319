"""The addresses of the pages of an atlas: the viewer, a region, and the pieces of them that its script asks for."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from ..http.responses import consistent
from ..params.atlas import AskedSpot, AtlasVersion
from ..params.common import AtlasName, StoreName
from ..params.overlay import Painting, painting
from ..params.region import Region
from ..queries.maps import MapVersion, map_of
from ..queries.regions import Drawn
from ..queries.tiles import atlas_of
from ..schemas.atlases import ViewName
from ..stores.registry import ServedStore
from ..stores.versioned import Version
from . import atlas as views_atlas
from . import atlas_region as views_region
from .map_viewer import AskedPlace, Nearest
from .params import EMPTY, Start
from .strict_params import StrictPage

router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=StrictPage)

OnMap = Annotated[int | None, EMPTY, Query(ge=0, le=2**53, description="an image to look for")]
Plain = Annotated[bool, Query(description="the grid as a picture, without the viewer")]
Place = Annotated[int | None, Query(ge=0, le=100_000, description="default: the middle")]
Beside = Annotated[
    str | None,
    EMPTY,
    Query(max_length=401, description="ATLAS of this store, or STORE/ATLAS, to compare with"),
]


def _look(
    *,
    row: Place = None,
    column: Place = None,
    image: OnMap = None,
    plain: Plain = False,
    beside: Beside = None,
) -> views_atlas.Look:
    there, _, other = (beside or "").rpartition("/")
    return views_atlas.Look(None, row, column, image, plain, other or None, there or None)


Asked = Annotated[views_atlas.Look, Depends(_look)]


@router.get("/stores/{store}/atlas")
def any_atlas_page(request: Request, store: StoreName, look: Asked) -> Response:
    """Return what does the whole dataset look like to the model?"""
    return consistent(request, store, lambda served: views_atlas.atlas(request, served, look))


@router.get("/stores/{store}/atlas/{atlas}")
def atlas_page(request: Request, store: StoreName, atlas: AtlasName, look: Asked) -> Response:
    """Return the same, of one atlas."""
    named = replace(look, name=atlas)
    return consistent(request, store, lambda served: views_atlas.atlas(request, served, named))


@router.get("/stores/{store}/atlas/{atlas}/at")
def atlas_panel(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    spot: AskedSpot,
    *,
    nearest: Nearest = False,
    v: AtlasVersion = None,
) -> Response:
    """Return what lies at a place of the map, for the viewer."""

    def make(served: ServedStore) -> Response:
        return views_atlas.panel(request, served, atlas_of(served, atlas, v), AskedPlace(spot, nearest))

    return consistent(request, store, make)


@router.get("/stores/{store}/atlas/{atlas}/region")
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
    """Return which images lie in a region, and what sets them apart. part: of the page, for the viewer."""

    def make(served: ServedStore) -> Response:
        drawn = Drawn(map_of(served, atlas_of(served, atlas, v)), grid, region)
        return views_region.region(request, served, drawn, start=start, part=part)

    return consistent(request, store, make)


@router.get("/stores/{store}/atlas/{atlas}/legend")
def legend(
    request: Request, store: StoreName, atlas: AtlasName, asked: Painting, *, v: AtlasVersion = None
) -> Response:
    """Return what the colours of an overlay mean, for the viewer."""

    def shown(served: ServedStore) -> Version[MapVersion]:
        found = atlas_of(served, atlas, v)
        return Version(map_of(served, found), found.digest, found.stamp)

    found = painting(request, shown, asked)
    return consistent(
        request, store, lambda served: views_region.legend(request, served, found(served).value)
    )
