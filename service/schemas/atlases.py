"""What the API answers about an atlas: how it was made, its tiles and cells, and where an item is.

The items of an atlas are the images of the store, the units of a layer, or samples of a layer's activations.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from .base import BoxJson, FromStore, ImageFacts, SizedImage, Table
from .units import UnitAnswer

AtlasKind = Literal["images", "units", "activations"]
GridName = Literal["nearest", "assigned"]
ViewName = Literal["nearest", "assigned", "scatter"]


class AtlasRow(BaseModel):
    """One atlas. facts: its settings and measured quality."""

    name: str = Field(
        description="in addresses: such as `umap`, `units:features.10`, `activations:features.10`"
    )
    kind: AtlasKind = Field(
        description="what is on it: the images, units of a layer, or samples, each of one position in one image"
    )
    layer: str | None = Field(description="of an atlas of units or activations")
    method: str
    items: int = Field(description="on the map")
    facts: dict[str, Any]


class AtlasAnswer(FromStore, AtlasRow):
    """One atlas of one store."""


class AtlasesAnswer(FromStore, Table):
    """The finished atlases: those of the images, then those of each layer."""

    ROWS = "atlases"

    atlases: list[AtlasRow]


class CellAnswer(BaseModel):
    """One filled cell and the item nearest its center."""

    row: int
    column: int
    item: int
    items: int = Field(description="that lie in the cell")
    image_id: int | None = Field(description="of the item: itself, or the image of a sample; null for a unit")
    picture: str | None = Field(description="address of a picture of the item; null for a dead unit")


class GridAnswer(FromStore, Table):
    """One item for each cell of a regular grid over the map; empty cells are left out."""

    ROWS = "cells"

    atlas: str
    side: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    cells: list[CellAnswer]


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
    rows: int = Field(description="cells from top to bottom; the scatter's items lie on and between them")
    columns: int = Field(description="cells from left to right")
    cell: int = Field(
        description="pixels of a cell's sides in the deepest level; in the scatter, of a thumbnail's in every level"
    )
    tile: int = Field(
        description="pixels of a tile's sides; those at the right and lower edge may be smaller"
    )
    width: int = Field(description="pixels of the deepest level")
    height: int
    levels: list[LevelAnswer]
    hidden: int = Field(
        description="items that no level shows: in the nearest grid those whose cell shows another, else none"
    )
    moved: int = Field(
        description="items of the scatter that lie beside their place in the deepest level, as others are there; in "
        "no level do two overlap"
    )
    furthest: float = Field(
        description="pixels of the deepest level that one of these is away from its place"
    )
    address: str = Field(description="of a tile, with {level}, {column} and {row} to be filled in")


class ShownImage(SizedImage):
    """An image that a cell shows."""


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


class CellAtAnswer(FromStore):
    """What a view shows at a place; `item` is null where nothing is."""

    atlas: str
    kind: AtlasKind
    grid: ViewName
    row: int = Field(description="of the cell that the place is in")
    column: int
    level: int = Field(description="that is looked at; the grids show the same in every level")
    items: int = Field(
        description="that lie in the cell: one or none in the assigned grid and in the scatter"
    )
    item: int | None
    image: ShownImage | None = Field(description="of an atlas of images")
    unit: UnitAnswer | None = Field(description="of an atlas of units")
    sample: SampleAnswer | None = Field(description="of an atlas of activations")
    mean: CellMeanAnswer | None = Field(description="of a cell of its nearest grid")


class PlaceInGrid(BaseModel):
    """The cell that an item lies in. shown: the item that the cell shows, often another in the nearest grid."""

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
    """Where an item is on the map. x, y: its coordinates."""

    atlas: str
    item: int
    x: float
    y: float
    cells: list[PlaceInGrid]
