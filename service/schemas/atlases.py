"""What the API answers about an atlas's tiles and cells."""

from typing import Literal

from pydantic import BaseModel, Field

from .base import SizedImage
from .stores import FromStore

GridName = Literal["nearest", "assigned"]
ViewName = Literal["nearest", "assigned", "scatter"]


class LevelAnswer(BaseModel):
    """One size of the whole. width, height: pixels; columns, rows: tiles."""

    level: int
    width: int
    height: int
    columns: int
    rows: int


class TilesAnswer(FromStore):
    """A view of an atlas as a deep-zoom image. Level 0 is one tile; each level is twice as large as the one before."""

    atlas: str
    grid: ViewName
    rows: int = Field(description="cells from top to bottom; the scatter's images lie on and between them")
    columns: int = Field(description="cells from left to right")
    cell: int = Field(
        description="pixels of a cell's sides in the deepest level; in the scatter, of an image's in every level"
    )
    tile: int = Field(
        description="pixels of a tile's sides; those at the right and lower edge may be smaller"
    )
    width: int = Field(description="pixels of the deepest level")
    height: int
    levels: list[LevelAnswer]
    hidden: int = Field(
        description="images that no level shows: in the nearest grid those whose cell shows another, else none"
    )
    moved: int = Field(
        description="images of the scatter that lie beside their place in the deepest level, as others are there; in "
        "no level do two overlap"
    )
    furthest: float = Field(
        description="pixels of the deepest level that one of these is away from its place"
    )
    address: str = Field(description="of a tile, with {level}, {column} and {row} to be filled in")


class ShownImage(SizedImage):
    """An image that a cell shows."""


class CellAtAnswer(FromStore):
    """What a view shows at a place; `image` is null where nothing is."""

    atlas: str
    grid: ViewName
    row: int = Field(description="of the cell that the place is in")
    column: int
    level: int = Field(description="that is looked at; the grids show the same in every level")
    images: int = Field(
        description="that lie in the cell: one or none in the assigned grid and in the scatter"
    )
    image: ShownImage | None


class PlaceInGrid(BaseModel):
    """The cell that an image lies in. shown: the image that the cell shows, often another in the nearest grid."""

    grid: ViewName
    row: int
    column: int
    shown: int
    x: float = Field(
        description="the middle of what is shown, in cells from the left edge of the deepest level"
    )
    y: float = Field(description="likewise from the upper edge")
    level: int = Field(description="the first that shows it")


class WhereAnswer(FromStore):
    """Where an image is on the map. x, y: its coordinates."""

    atlas: str
    image_id: int
    x: float
    y: float
    cells: list[PlaceInGrid]
