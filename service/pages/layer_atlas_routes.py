"""The addresses of the pages of a layer's own atlases, and of the panel that their script asks for."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ..answers.layer_atlases import Kind
from ..api.atlas_parameters import AskedSpot
from ..api.parameters import LayerName, StoreName
from ..http.answering import consistent
from . import layer_atlas as views
from .strict import StrictPage

router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=StrictPage)


@router.get("/stores/{store}/layers/{layer}/atlas/{kind}")
def layer_atlas_page(request: Request, store: StoreName, layer: LayerName, kind: Kind) -> Response:
    """How do the units of a layer fire together? What does it tell apart?"""
    return consistent(request, store, lambda served: views.layer_atlas(request, served, layer, kind))


@router.get("/stores/{store}/layers/{layer}/atlas/{kind}/at")
def layer_atlas_panel(
    request: Request, store: StoreName, layer: LayerName, kind: Kind, spot: AskedSpot
) -> Response:
    """What lies at a place of the map, for the viewer."""
    return consistent(request, store, lambda served: views.panel(request, served, layer, kind, spot))
