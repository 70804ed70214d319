"""The API's overlays of an atlas: what it can be colored by, legends and tiles; and the names of its clusters."""

from fastapi import APIRouter, Response

from ..http.openapi import TABLE
from ..http.openapi import pictures as described
from ..http.strict_params import StrictRoute
from ..params.atlas import AskedAtlas
from ..params.common import Number
from ..params.overlay import AskedColoredMap, PlaceOfTile
from ..queries.atlas import overlays as questions
from ..schemas.atlases import ViewName
from ..schemas.overlays import ClustersAnswer, LegendAnswer, OverlaysAnswer, OverlayValueAnswer

router = APIRouter(prefix="/api/v1/stores/{store}/atlases/{atlas:layer}", route_class=StrictRoute)


@router.get("/overlays", response_model=OverlaysAnswer, responses=TABLE)
def list_overlays(asked: AskedAtlas) -> Response:
    """Return what an atlas can be colored by."""
    return asked.answer(questions.overlays)


@router.get("/overlays/legend", response_model=LegendAnswer, responses=TABLE)
def overlay_legend(asked: AskedColoredMap) -> Response:
    """Return what the colours of an overlay mean."""
    return asked.answer(lambda one: questions.legend(one.shown, one.coloring))


@router.get("/overlays/values/{item}", response_model=OverlayValueAnswer, responses=TABLE)
def overlay_value(asked: AskedColoredMap, item: Number) -> Response:
    """Return what one item is colored by."""
    return asked.answer(lambda one: questions.value(one.shown, one.coloring, item))


@router.get(
    "/overlays/{grid}/{level}/{column_of_tile}_{row}.png",
    response_class=Response,
    responses=described("image/png"),
)
def overlay_tile(asked: AskedColoredMap, place: PlaceOfTile) -> Response:
    """Return a transparent piece of an overlay, over the tile of the same place; striped where a value is missing."""
    return asked.picture(lambda one: questions.tile(one.shown, one.coloring, place))


@router.get("/clusters", response_model=ClustersAnswer, responses=TABLE)
def clusters(asked: AskedAtlas, *, grid: ViewName = "nearest") -> Response:
    """Return the clusters that some labels distinguish from the rest of the map, named by these."""
    return asked.answer(lambda shown: questions.clusters(shown, grid))
