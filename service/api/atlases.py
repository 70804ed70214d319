"""The API's atlases: what they map, their deep-zoom tiles, what a cell shows, and where an item is."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..http.openapi import TABLE
from ..http.openapi import pictures as picture_responses
from ..http.responses import answer_now, consistent
from ..http.strict_params import StrictRoute
from ..params.atlas import AtlasParam, SpotParam, TileParam, View
from ..params.common import ItemNumber, Number, StoreName
from ..queries.atlas import atlases, tiles
from ..queries.atlas import items as atlas_items
from ..schemas.atlases import AtlasAnswer, AtlasesAnswer, CellAtAnswer, GridAnswer, TilesAnswer, WhereAnswer

router = APIRouter(prefix="/api/v1/stores/{store}/atlases", route_class=StrictRoute)


@router.get("", response_model=AtlasesAnswer, responses=TABLE)
def list_atlases(request: Request, store: StoreName) -> Response:
    """Return the finished atlases: those of the images, then those of each layer."""
    return answer_now(request, consistent(request, store, atlases.all_atlases))


@router.get("/{atlas:layer}", response_model=AtlasAnswer, responses=TABLE)
def one_atlas(asked: AtlasParam) -> Response:
    """Return how an atlas was made, and how good it is."""
    return asked.answer(atlases.describe_atlas)


@router.get("/{atlas:layer}/grid", response_model=GridAnswer, responses=TABLE)
def atlas_grid(
    asked: AtlasParam,
    *,
    row: Annotated[int, Query(ge=0, le=100_000)] = 0,
    column: Annotated[int, Query(ge=0, le=100_000)] = 0,
    rows: Annotated[int, Query(ge=1, le=256)] = 64,
    columns: Annotated[int, Query(ge=1, le=256)] = 64,
) -> Response:
    """Return a window of the grid: one item for each cell of the map."""
    return asked.answer(lambda shown: atlases.grid(shown, (row, row + rows), (column, column + columns)))


@router.get("/{atlas:layer}/tiles/{grid}", response_model=TilesAnswer, responses=TABLE)
def view_tiles(asked: AtlasParam, grid: View) -> Response:
    """Return how a view is cut into tiles, at how many sizes."""
    return asked.answer(lambda shown: tiles.tiles(shown, grid))


@router.get(
    "/{atlas:layer}/tiles/{grid}/{level}/{column}_{row}.jpg",
    response_class=Response,
    responses=picture_responses("image/jpeg"),
)
def one_tile(asked: AtlasParam, place: TileParam) -> Response:
    """Return a piece of the view, of 256 x 256 pixels at most."""
    return asked.picture(lambda shown: tiles.tile(shown, place))


@router.get("/{atlas:layer}/at", response_model=CellAtAnswer, responses=TABLE)
def cell_at(asked: AtlasParam, spot: SpotParam) -> Response:
    """Return the item that a cell shows, or that the scatter shows at a place."""
    return asked.answer(lambda shown: tiles.at(shown, spot))


@router.get("/{atlas:layer}/where", response_model=WhereAnswer, responses=TABLE)
def where(asked: AtlasParam, item: ItemNumber) -> Response:
    """Return where an image, a unit or a sample is in each view, and its coordinates."""
    return asked.answer(lambda shown: tiles.where(shown, item))


@router.get(
    "/{atlas:layer}/samples/{sample}/picture",
    response_class=Response,
    responses=picture_responses("image/jpeg"),
)
def sample_picture(asked: AtlasParam, sample: Number) -> Response:
    """Return what a sampled position of an atlas of activations sees."""
    return asked.picture(lambda shown: atlas_items.sample_picture(shown, sample))
