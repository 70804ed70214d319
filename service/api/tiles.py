"""The API's deep-zoom images of an atlas: the tiles, what a cell shows, and where an image is."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ...index.atlas import Atlas
from ..answers.atlases import CellAtAnswer, GridName, TilesAnswer, ViewName, WhereAnswer
from ..fresh import Version
from ..http.answering import answer_from, picture_from
from ..questions import tiles as tile_answers
from ..questions.tiles import atlas_of
from ..registry import ServedStore
from .parameters import TABLE, AtlasName, ImageId, StoreName
from .parameters import pictures as described

router = APIRouter(prefix="/api/v1/stores")

AtlasVersion = Annotated[
    str | None,
    Query(
        max_length=64,
        description="the atlas's version, as `address` of its tiles holds it: then the answer may be kept for good, "
        "and is refused (409) once the atlas has been made again",
    ),
]
Grid = Annotated[
    GridName,
    Path(description="`nearest`: one image for each cell of the map; `assigned`: a cell for each image"),
]
View = Annotated[
    ViewName,
    Path(
        description="`nearest`: one image for each cell of the map; `assigned`: a cell for each image; `scatter`: "
        "images at their coordinates, as many as have room in a level, and all in the deepest"
    ),
]
Place = Annotated[int, Path(ge=0, le=2**31)]
Along = Annotated[
    float, Query(ge=0, le=2**31, description="in cells of the deepest level from its upper left corner")
]
LevelOfScatter = Annotated[
    int | None, Query(ge=0, le=2**31, description="of the scatter; by default the deepest")
]


@router.get("/{store}/atlases/{atlas}/tiles/{grid}", response_model=TilesAnswer, responses=TABLE)
def view_tiles(
    request: Request, store: StoreName, atlas: AtlasName, grid: View, v: AtlasVersion = None
) -> Response:
    """How a view is cut into tiles, at how many sizes."""

    def part(served: ServedStore) -> Version[Version[Atlas]]:
        found = atlas_of(served, atlas, v)
        return Version(found, found.digest, found.stamp)

    def make(served: ServedStore, found: Version[Atlas]) -> TilesAnswer:
        return tile_answers.tiles(served, found, grid)

    return answer_from(request, store, part, make)


@router.get(
    "/{store}/atlases/{atlas}/tiles/{grid}/{level}/{column}_{row}.jpg",
    response_class=Response,
    responses=described("image/jpeg"),
)
def one_tile(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    grid: View,
    level: Place,
    *,
    column: Place,
    row: Place,
    v: AtlasVersion = None,
) -> Response:
    """A piece of the view, of 256 x 256 pixels at most."""
    return picture_from(
        request,
        store,
        lambda served: atlas_of(served, atlas, v),
        lambda served, found: tile_answers.tile(served, found, grid, level, (column, row)),
    )


@router.get("/{store}/atlases/{atlas}/at", response_model=CellAtAnswer, responses=TABLE)
def cell_at(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    x: Along,
    y: Along,
    grid: ViewName = "nearest",
    level: LevelOfScatter = None,
    v: AtlasVersion = None,
) -> Response:
    """The image that a cell shows, or that the scatter shows at a place."""

    def make(served: ServedStore, found: Atlas) -> CellAtAnswer:
        return tile_answers.at(served, found, grid, (x, y), level)

    return answer_from(request, store, lambda served: atlas_of(served, atlas, v), make)


@router.get("/{store}/atlases/{atlas}/where", response_model=WhereAnswer, responses=TABLE)
def where(
    request: Request, store: StoreName, atlas: AtlasName, image: ImageId, v: AtlasVersion = None
) -> Response:
    """Where an image is in each view, and its coordinates."""

    def make(served: ServedStore, found: Atlas) -> WhereAnswer:
        return tile_answers.where(served, found, image)

    return answer_from(request, store, lambda served: atlas_of(served, atlas, v), make)
