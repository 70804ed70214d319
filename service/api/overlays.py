"""The API's overlays of an atlas: what it can be painted by, legends and tiles; and the names of its clusters."""

from fastapi import APIRouter, Response

from ..http.openapi import TABLE
from ..http.openapi import pictures as described
from ..http.strict_params import StrictRoute
from ..params.atlas import AskedMap
from ..params.common import Number
from ..params.overlay import AskedPainted, PlaceOfTile
from ..queries import overlays as questions
from ..schemas.atlases import ViewName
from ..schemas.overlays import ClustersAnswer, LegendAnswer, OverlaysAnswer, OverlayValueAnswer

router = APIRouter(prefix="/api/v1/stores/{store}/atlases/{atlas}", route_class=StrictRoute)


@router.get("/overlays", response_model=OverlaysAnswer, responses=TABLE)
def list_overlays(asked: AskedMap) -> Response:
    """Return what an atlas can be painted by."""
    return asked.answer(lambda _, shown: questions.overlays(shown))


@router.get("/overlays/legend", response_model=LegendAnswer, responses=TABLE)
def overlay_legend(asked: AskedPainted) -> Response:
    """Return what the colours of an overlay mean."""
    return asked.answer(lambda _, one: questions.legend(one.shown, one.paint))


@router.get("/overlays/values/{image_id}", response_model=OverlayValueAnswer, responses=TABLE)
def overlay_value(asked: AskedPainted, image_id: Number) -> Response:
    """Return what one image is painted by."""
    return asked.answer(lambda _, one: questions.value(one.shown, one.paint, image_id))


@router.get(
    "/overlays/{grid}/{level}/{column_of_tile}_{row}.png",
    response_class=Response,
    responses=described("image/png"),
)
def overlay_tile(asked: AskedPainted, place: PlaceOfTile) -> Response:
    """Return a transparent piece of an overlay, over the tile of the same place; striped where a value is missing."""
    return asked.picture(lambda _, one: questions.tile(one.shown, one.paint, place))


@router.get("/clusters", response_model=ClustersAnswer, responses=TABLE)
def clusters(asked: AskedMap, *, grid: ViewName = "nearest") -> Response:
    """Return the clusters that some labels distinguish from the rest of the map, named by these."""
    return asked.answer(lambda _, shown: questions.clusters(shown, grid))
