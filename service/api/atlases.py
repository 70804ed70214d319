"""The API's deep-zoom images of an atlas: the tiles, what a cell shows, and where an image is."""

from fastapi import APIRouter, Response

from ..http.openapi import TABLE
from ..http.openapi import pictures as described
from ..http.strict_params import StrictRoute
from ..params.atlas import AskedAtlas, AskedSpot, AskedTile, View
from ..params.common import ImageId
from ..queries import tiles as questions
from ..schemas.atlases import CellAtAnswer, TilesAnswer, WhereAnswer

router = APIRouter(prefix="/api/v1/stores/{store}/atlases/{atlas}", route_class=StrictRoute)


@router.get("/tiles/{grid}", response_model=TilesAnswer, responses=TABLE)
def view_tiles(asked: AskedAtlas, grid: View) -> Response:
    """Return how a view is cut into tiles, at how many sizes."""
    return asked.answer_versioned(lambda served, found: questions.tiles(served, found, grid))


@router.get(
    "/tiles/{grid}/{level}/{column}_{row}.jpg",
    response_class=Response,
    responses=described("image/jpeg"),
)
def one_tile(asked: AskedAtlas, place: AskedTile) -> Response:
    """Return a piece of the view, of 256 x 256 pixels at most."""
    return asked.picture(lambda served, found: questions.tile(served, found, place))


@router.get("/at", response_model=CellAtAnswer, responses=TABLE)
def cell_at(asked: AskedAtlas, spot: AskedSpot) -> Response:
    """Return the image that a cell shows, or that the scatter shows at a place."""
    return asked.answer(lambda served, found: questions.at(served, found, spot))


@router.get("/where", response_model=WhereAnswer, responses=TABLE)
def where(asked: AskedAtlas, image: ImageId) -> Response:
    """Return where an image is in each view, and its coordinates."""
    return asked.answer(lambda served, found: questions.where(served, found, image))
