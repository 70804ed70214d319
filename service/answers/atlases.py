"""What the API answers about an atlas's tiles and cells."""

from typing import Literal

from pydantic import BaseModel, Field

from .image_facts import SizedImage
from .stores import FromStore

GridName = Literal["nearest", "assigned"]


class LevelAnswer(BaseModel):
    """One size of the whole. width, height: pixels; columns, rows: tiles."""

    level: int
    width: int
    height: int
    columns: int
    rows: int


class TilesAnswer(FromStore):
    """A grid as a deep-zoom image. Level 0 is one tile; each level is twice as large as the one before."""

    atlas: str
    grid: GridName
    rows: int = Field(description="cells from top to bottom")
    columns: int = Field(description="cells from left to right")
    cell: int = Field(description="pixels of a cell's sides in the deepest level")
    tile: int = Field(
        description="pixels of a tile's sides; those at the right and lower edge may be smaller"
    )
    width: int = Field(description="pixels of the deepest level")
    height: int
    levels: list[LevelAnswer]
    address: str = Field(description="of a tile, with {level}, {column} and {row} to be filled in")


class ShownImage(SizedImage):
    """An image that a cell shows."""


class CellAtAnswer(FromStore):
    """What a cell of a grid shows; `image` is null where it is empty."""

    atlas: str
    grid: GridName
    row: int
    column: int
    images: int = Field(description="that lie in the cell: one or none in the assigned grid")
    image: ShownImage | None


class PlaceInGrid(BaseModel):
    """The cell that an image lies in. shown: the image that the cell shows, often another in the nearest grid."""

    grid: GridName
    row: int
    column: int
    shown: int


class WhereAnswer(FromStore):
    """Where an image is on the map. x, y: its coordinates."""

    atlas: str
    image_id: int
    x: float
    y: float
    cells: list[PlaceInGrid]
