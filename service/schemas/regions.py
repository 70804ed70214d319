"""What the API answers about regions of an atlas."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from .atlases import AtlasKind, SampleAnswer, ViewName
from .base import FromStore, Table
from .images import ListedImageAnswer
from .units import UnitAnswer


class RegionClassAnswer(BaseModel):
    """share: of the region's items; rest: of the other items of the map. lift: share / rest, null where rest is 0."""

    label: str | None
    label_class: str | None
    items: int
    share: float
    rest: float | None
    lift: float | None


class RegionFactAnswer(BaseModel):
    """A mean over the region's items, and over the other items of the map; null where nothing is known."""

    name: str
    region: float | None
    rest: float | None


class OfRegion(FromStore):
    """An answer about a region of an atlas, drawn in one of its grids."""

    atlas: str
    grid: ViewName
    region: str


class RegionAnswer(OfRegion):
    """A region against the rest of the map.

    facts: the accuracy and the mean cross-entropy in nats of the images, or of the samples' images; of units the means
    of their statistics. classes: the labels of these images; of units their preferred classes.
    """

    kind: AtlasKind
    items: int
    on_map: int
    facts: list[RegionFactAnswer]
    classes: list[RegionClassAnswer]


class ItemsInRegionAnswer(OfRegion, Table):
    """The items of a region, those nearest to its middle first."""

    ROWS = "items"

    found: int
    next: str | None


class ImagesInRegionAnswer(ItemsInRegionAnswer):
    """The images of a region, those nearest to its middle first."""

    kind: Literal["images"] = "images"
    items: list[ListedImageAnswer]


class UnitsInRegionAnswer(ItemsInRegionAnswer):
    """The units in a region of their map, those nearest to its middle first."""

    kind: Literal["units"] = "units"
    items: list[UnitAnswer]


class SamplesInRegionAnswer(ItemsInRegionAnswer):
    """The samples in a region of an activation atlas, those nearest to its middle first."""

    kind: Literal["activations"] = "activations"
    items: list[SampleAnswer]


RegionItems = ImagesInRegionAnswer | UnitsInRegionAnswer | SamplesInRegionAnswer
"""The items of a region, by the kind of its atlas."""


class RegionUnitAnswer(BaseModel):
    """mean, rest: of the maxima over the region's images and over all others; of an activation atlas, of the
    activations over its samples and the others of the map. gap: in standard deviations.
    """

    layer: str
    unit: int
    mean: float
    rest: float
    gap: float
    picture: str = Field(description="the view of the unit's strongest patch")


class RegionUnitsAnswer(OfRegion, Table):
    """The units that activate more in a region than elsewhere, by `gap`.

    looked_at: items of the region whose activations were read; where `exact` is false some of them.
    """

    ROWS = "units"

    items: int
    looked_at: int
    exact: bool
    units: list[RegionUnitAnswer]


class ExtentAnswer(FromStore):
    """Where the items that a filter keeps lie: the box around nine tenths of them along each axis, in cells."""

    atlas: str
    grid: ViewName
    where: str
    items: int = Field(description="that pass it and are on the map")
    box: Annotated[list[float], Field(min_length=4, max_length=4)] | None = Field(
        description="x0, y0, x1, y1"
    )


class CounterpartAnswer(FromStore):
    """The same image, by its uri, in another store; null where it has none."""

    image_id: int
    other: str
    counterpart: int | None
