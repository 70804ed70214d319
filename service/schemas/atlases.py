"""What the API answers about an atlas's tiles and cells."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from .base import BoxJson, FromStore, ImageFacts, SizedImage, Table
from .units import UnitAnswer

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


class CellAnswer(BaseModel):
    """One filled cell and the image nearest its centre."""

    row: int
    column: int
    image_id: int
    images: int = Field(description="that lie in the cell")
    thumb: str


class GridAnswer(FromStore, Table):
    """One image for each cell of a regular grid over the map; empty cells are left out."""

    ROWS = "cells"

    atlas: str
    side: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    cells: list[CellAnswer]


class AtlasRow(BaseModel):
    """One atlas. facts: its settings and measured quality."""

    name: str
    method: str
    images: int
    facts: dict[str, Any]


class AtlasAnswer(FromStore, AtlasRow):
    """One atlas of one store."""


class AtlasesAnswer(FromStore, Table):
    """The finished atlases."""

    ROWS = "atlases"

    atlases: list[AtlasRow]


Kind = Literal["units", "activations"]


class LayerAtlasAnswer(FromStore):
    """A layer's atlas: what is on it, how it was made, and how good it is."""

    layer: str
    kind: Kind
    items: int = Field(
        description="on the map: units of the layer, or samples, each of one position in one image"
    )
    facts: dict[str, int | float | str]


class SampleAnswer(ImageFacts):
    """A sample: the activations of all units at one random position of an image."""

    sample: int
    y: int
    x: int
    view: BoxJson = Field(description="what the position sees: x0, y0, x1, y1 in the original image")
    picture: str


class NearSample(BaseModel):
    """A sample whose activation is near the mean of a cell. distance: L2."""

    sample: int
    distance: float
    image_id: int
    picture: str


class CellMeanAnswer(BaseModel):
    """The mean activation of the samples in a cell of the nearest grid.

    The label and the predicted class that are the commonest among the samples' images: a count, no attribution through
    the network.
    """

    samples: int
    label: str | None
    label_samples: int | None
    predicted: int | None
    predicted_class: str | None
    predicted_samples: int | None
    nearest: list[NearSample] = Field(
        description="of all samples the nearest to the mean; the cell shows the nearest of its own"
    )


class LayerCellAnswer(FromStore):
    """What a view of a layer's atlas shows at a place; `item` is null where nothing is."""

    layer: str
    kind: Kind
    grid: ViewName
    row: int
    column: int
    level: int
    items: int = Field(description="that lie in the cell")
    item: int | None
    unit: UnitAnswer | None = Field(description="of the atlas of units")
    sample: SampleAnswer | None = Field(description="of the atlas of activations")
    mean: CellMeanAnswer | None = Field(description="of a cell of its nearest grid")


class ItemPlacesAnswer(FromStore):
    """Where a unit or a sample is on the map. x, y: its coordinates."""

    layer: str
    kind: Kind
    item: int
    x: float
    y: float
    cells: list[PlaceInGrid]
