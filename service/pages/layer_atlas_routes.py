"""The addresses of the pages of a layer's own atlases, and of the pieces of them that their script asks for."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ..http.responses import consistent
from ..params.atlas import AskedSpot, AtlasVersion
from ..params.common import LayerName, StoreName
from ..params.overlay import Painting, painting
from ..params.region import Region
from ..queries.layer_atlases import layer_atlas_of
from ..queries.maps import MapVersion, map_of_layer
from ..queries.regions import Drawn
from ..schemas.atlases import Kind, ViewName
from ..stores.registry import ServedStore
from ..stores.versioned import Version
from . import atlas_region as views_region
from . import layer_atlas as views
from .map_viewer import AskedPlace, Nearest
from .params import Start
from .strict_params import StrictPage

router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=StrictPage)


@router.get("/stores/{store}/layers/{layer:layer}/atlas/{kind}")
def layer_atlas_page(request: Request, store: StoreName, layer: LayerName, kind: Kind) -> Response:
    """Return how do the units of a layer fire together? What does it tell apart?"""
    return consistent(request, store, lambda served: views.layer_atlas(request, served, layer, kind))


@router.get("/stores/{store}/layers/{layer:layer}/atlas/{kind}/at")
def layer_atlas_panel(
    request: Request,
    store: StoreName,
    layer: LayerName,
    kind: Kind,
    spot: AskedSpot,
    *,
    nearest: Nearest = False,
    v: AtlasVersion = None,
) -> Response:
    """Return what lies at a place of the map, for the viewer."""

    def make(served: ServedStore) -> Response:
        found = layer_atlas_of(served, layer, kind, v)
        return views.panel(request, served, found, kind, AskedPlace(spot, nearest))

    return consistent(request, store, make)


@router.get("/stores/{store}/layers/{layer:layer}/atlas/{kind}/region")
def layer_region_page(
    request: Request,
    store: StoreName,
    layer: LayerName,
    kind: Kind,
    *,
    region: Region,
    grid: ViewName = "nearest",
    start: Start = 0,
    part: Literal["facts", "units"] | None = None,
    v: AtlasVersion = None,
) -> Response:
    """Return what lies in a region, and what sets it apart. part: of the page, for the viewer."""

    def make(served: ServedStore) -> Response:
        found = layer_atlas_of(served, layer, kind, v)
        drawn = Drawn(map_of_layer(served, found, kind), grid, region)
        return views.region(request, drawn, found, kind, start=start, part=part)

    return consistent(request, store, make)


@router.get("/stores/{store}/layers/{layer:layer}/atlas/{kind}/legend")
def layer_legend(
    request: Request,
    store: StoreName,
    layer: LayerName,
    kind: Kind,
    asked: Painting,
    *,
    v: AtlasVersion = None,
) -> Response:
    """Return what the colours of an overlay mean, for the viewer."""

    def shown(served: ServedStore) -> Version[MapVersion]:
        found = layer_atlas_of(served, layer, kind, v)
        return Version(map_of_layer(served, found, kind), found.digest, found.stamp)

    found = painting(request, shown, asked)
    return consistent(
        request, store, lambda served: views_region.legend(request, served, found(served).value)
    )
