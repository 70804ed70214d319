"""What the API answers about regions of an atlas."""

from pydantic import BaseModel, Field

from .atlases import ViewName
from .images import ListedImageAnswer
from .stores import FromStore, Table


class RegionClassAnswer(BaseModel):
    """share: of the region's images; rest: of the other images of the map. lift: share / rest, null where rest is 0."""

    label: str | None
    label_class: str | None
    images: int
    share: float
    rest: float | None
    lift: float | None


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
    """mean, rest: of the maxima over the region's images and over all others; gap: in standard deviations."""

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
    """Where the images that a filter keeps lie: the box around nine tenths of them along each axis, in cells."""

    atlas: str
    grid: ViewName
    where: str
    images: int = Field(description="on the map")
    box: tuple[float, float, float, float] | None = Field(description="x0, y0, x1, y1")


class CounterpartAnswer(FromStore):
    """The same image, by its uri, in another store; null where it has none."""

    image_id: int
    other: str
    counterpart: int | None
