"""What the API answers about regions of an atlas."""

from typing import Annotated

from pydantic import BaseModel, Field

from .atlases import Kind, SampleAnswer, ViewName
from .base import FromStore, Table
from .images import ListedImageAnswer
from .units import UnitAnswer


class RegionClassAnswer(BaseModel):
    """share: of the region's items; rest: of the other items of the map. lift: share / rest, null where rest is 0."""

    label: str | None
    label_class: str | None
    images: int
    share: float
    rest: float | None
    lift: float | None


class RegionFactAnswer(BaseModel):
    """A mean over the region's items, and over the other items of the map; null where nothing is known."""

    name: str
    region: float | None
    rest: float | None


class LayerRegionAnswer(FromStore):
    """A region of a layer's own atlas against the rest of it.

    facts: of units the means of their statistics, of samples of whether their images are recognised. classes: of units
    those that they fire most for, of samples their images'.
    """

    layer: str
    kind: Kind
    grid: ViewName
    region: str
    items: int
    on_map: int
    facts: list[RegionFactAnswer]
    classes: list[RegionClassAnswer]


class UnitsInRegionAnswer(FromStore, Table):
    """The units in a region of their map, those nearest to its middle first."""

    ROWS = "units"

    layer: str
    grid: ViewName
    region: str
    found: int
    units: list[UnitAnswer]
    next: str | None


class SamplesInRegionAnswer(FromStore, Table):
    """The samples in a region of an activation atlas, those nearest to its middle first."""

    ROWS = "samples"

    layer: str
    grid: ViewName
    region: str
    found: int
    samples: list[SampleAnswer]
    next: str | None


class RegionAnswer(FromStore):
    """A region against the rest of the map."""

    atlas: str
    grid: ViewName
    region: str
    images: int
    on_map: int
    accuracy: float | None = Field(description="of the images whose class the model knows")
    rest_accuracy: float | None
    loss: float | None = Field(description="the mean cross-entropy, in nats")
    rest_loss: float | None
    classes: list[RegionClassAnswer]


class RegionImagesAnswer(FromStore, Table):
    """The images of a region, those nearest to its middle first."""

    ROWS = "images"

    atlas: str
    grid: ViewName
    region: str
    found: int
    images: list[ListedImageAnswer]
    next: str | None


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


class RegionUnitsAnswer(FromStore, Table):
    """The units that fire most in a region against all other images, by `gap`.

    looked_at: images of the region whose maxima were read; where `exact` is false a sample.
    """

    ROWS = "units"

    atlas: str
    grid: ViewName
    region: str
    images: int
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
