"""What the API answers about the overlays of a map and the names of its clusters."""

from typing import Literal

from pydantic import BaseModel, Field

from .atlases import ViewName
from .base import FromStore, Table

ColorBy = Literal["density", "column", "unit", "where", "region"]


class OverlayRow(BaseModel):
    """Something to color an atlas by. column: where `by` is `column`."""

    by: ColorBy
    column: str | None


class OverlaysAnswer(FromStore, Table):
    """What a map can be colored by. atlas: of a layer's own the kind.

    A unit also needs its layer and number, `where` a filter, `region` a region.
    """

    ROWS = "overlays"

    atlas: str
    overlays: list[OverlayRow]


class LegendClass(BaseModel):
    """A class and its colour. items: of the map's items that are of it."""

    name: str
    items: int
    colour: str


class LegendStop(BaseModel):
    """A number and its colour. text: the number as a person reads it."""

    value: float
    text: str
    colour: str


class LegendAnswer(FromStore):
    """What the colours of an overlay mean: classes, or numbers from the lowest to the highest stop."""

    atlas: str
    title: str
    kind: Literal["numbers", "classes", "share", "marked"]
    says: str = Field(description="what the numbers are, or their unit")
    shows: str = Field(description="what a thumbnail that stands for several images shows")
    stops: list[LegendStop]
    logarithmic: bool
    smallest: str | None = Field(description="of the numbers that there are; drawn like the first stop")
    largest: str | None
    classes: list[LegendClass]
    missing: int = Field(description="items of the map without a value: striped")
    items: int = Field(description="on the map: images, or units or samples of a layer's own atlas")


class OverlayValueAnswer(FromStore):
    """What one item is colored by; null for none."""

    atlas: str
    item: int = Field(description="an image, or a unit or sample of a layer's own atlas")
    value: float | None
    text: str | None = Field(description="the number or the class as a person reads it")


class ClusterAnswer(BaseModel):
    """A cluster with a name. scale: 0 for the coarsest cut. x, y: its middle, in cells of the grid."""

    name: str
    labels: list[str]
    items: int = Field(description="images, units or samples in it")
    scale: int
    x: float
    y: float


class ClustersAnswer(FromStore, Table):
    """The clusters of a map that some labels distinguish from the rest."""

    ROWS = "clusters"

    atlas: str
    grid: ViewName
    clusters: list[ClusterAnswer]
