"""The API's overlays of an atlas: what it can be colored by, legends and tiles; and the names of its clusters."""

from fastapi import APIRouter, Response

from ..http.openapi import TABLE
from ..http.openapi import pictures as picture_responses
from ..http.strict_params import StrictRoute
from ..params.atlas import AtlasParam
from ..params.common import Number
from ..params.overlay import ColoredAtlasParam, OverlayTileParam
from ..queries.atlas import overlays as overlay_queries
from ..schemas.atlases import ViewName
from ..schemas.overlays import ClustersAnswer, LegendAnswer, OverlaysAnswer, OverlayValueAnswer

router = APIRouter(prefix="/api/v1/stores/{store}/atlases/{atlas:layer}", route_class=StrictRoute)


@router.get("/overlays", response_model=OverlaysAnswer, responses=TABLE)
def list_overlays(asked: AtlasParam) -> Response:
    """Return what an atlas can be colored by."""
    return asked.answer(overlay_queries.overlays)


@router.get("/overlays/legend", response_model=LegendAnswer, responses=TABLE)
def overlay_legend(asked: ColoredAtlasParam) -> Response:
    """Return what the colours of an overlay mean."""
    return asked.answer(lambda one: overlay_queries.legend(one.shown, one.coloring))


@router.get("/overlays/values/{item}", response_model=OverlayValueAnswer, responses=TABLE)
def overlay_value(asked: ColoredAtlasParam, item: Number) -> Response:
    """Return what one item is colored by."""
    return asked.answer(lambda one: overlay_queries.value(one.shown, one.coloring, item))


@router.get(
    "/overlays/{grid}/{level}/{column_of_tile}_{row}.png",
    response_class=Response,
    responses=picture_responses("image/png"),
)
def overlay_tile(asked: ColoredAtlasParam, place: OverlayTileParam) -> Response:
    """Return a transparent piece of an overlay, over the tile of the same place; striped where a value is missing."""
    return asked.picture(lambda one: overlay_queries.tile(one.shown, one.coloring, place))


@router.get("/clusters", response_model=ClustersAnswer, responses=TABLE)
def clusters(asked: AtlasParam, *, grid: ViewName = "nearest") -> Response:
    """Return the clusters that some labels distinguish from the rest of the map, named by these."""
    return asked.answer(lambda shown: overlay_queries.clusters(shown, grid))
