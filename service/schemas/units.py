"""What the API answers with about units: the shapes of its JSON."""

from pydantic import BaseModel, Field

from .base import BoxJson, FromStore, ImageFacts, Table


class UnitRanks(BaseModel):
    """One number for each statistic; null where it has no value."""

    max: int | None
    mean: int | None
    std: int | None
    min: int | None
    active: int | None
    selectivity: int | None


class UnitAnswer(BaseModel):
    """Statistics of the per-image maxima of one unit, of those that are finite; null where none is."""

    layer: str
    unit: int
    images: int
    nonfinite: int = Field(
        description="images whose maximum is NaN or infinite: the statistics are of the others"
    )
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    active: float | None = Field(description="share of images with a finite maximum whose maximum is above 0")
    selectivity: float | None = Field(
        description="class selectivity index (Morcos et al. 2018), from 0 to 1; null without labels"
    )
    label: str | None = Field(description="the label with the largest mean maximum")
    ranks: UnitRanks = Field(
        description="among the layer's units: 1 + how many have a larger value, so equal ones share the better rank"
    )
    picture: str | None = Field(description="address of the view of the strongest patch")


class UnitsAnswer(FromStore, Table):
    """A page of units; `next` is the cursor of the page after it, null at the end."""

    ROWS = "units"

    layer: str
    found: int = Field(description="units that pass the filters, on all pages")
    ranked: UnitRanks = Field(description="how many of the layer's units have a rank")
    units: list[UnitAnswer]
    next: str | None


class HistogramAnswer(BaseModel):
    """Bins of equal width; counts[i] images lie from edges[i] up to edges[i + 1], in the last bin with it."""

    edges: list[float]
    counts: list[int]
    not_finite: int = Field(description="images whose maximum is NaN or infinite, which are in no bin")


class QuantileAnswer(BaseModel):
    """The smallest maximum that at least this share of the images do not exceed: some image's own."""

    quantile: float
    value: float | None


class OneUnitAnswer(FromStore, UnitAnswer):
    """One unit, with the distribution of its maxima over the images.

    Under a filter everything but `selectivity` and `label`, which are null, is of the images that it keeps; no unit has
    a rank then.
    """

    where: str | None
    of_images: int = Field(description="images that did not fail: the 6,500 of `35 of 6,500 images`")

    ranked: UnitRanks = Field(
        description="how many of the layer's units have a rank: the 128 of `3rd of 128`"
    )
    histogram: HistogramAnswer
    quantiles: list[QuantileAnswer]


class PatchAnswer(ImageFacts):
    """One patch. box: the receptive field; view: what the unit does see of it."""

    rank: int = Field(description="from 1, among all images that the filter keeps")
    value: float | None = Field(description="null where it is infinite or NaN, if the sweep allowed that")
    y: int
    x: int
    box: BoxJson
    view: BoxJson
    width: int
    height: int
    image: str = Field(description="address of the image's own file")
    crop: str = Field(description="address of the view's pixels")


class PatchesAnswer(FromStore, Table):
    """Strongest first; equal values by image_id. `exact` is always true: the whole dataset was looked at.

    With a quantile: those whose ranks are nearest to that of the quantile (as in a unit's `quantiles`).
    """

    ROWS = "patches"

    layer: str
    unit: int
    where: str | None
    quantile: float | None
    images: int = Field(description="that have a rank: the 50,000 of `3rd of 50,000`")
    exact: bool = True
    patches: list[PatchAnswer]


class UnitClassAnswer(BaseModel):
    """What a unit does in the images of one label."""

    label: str
    label_index: int | None
    label_class: str | None = Field(description="the model's name for `label_index`")
    images: int
    mean: float | None = Field(description="of their maxima")
    active: float = Field(description="share of them with a maximum above 0")


class UnitClassesAnswer(FromStore, Table):
    """A page of the classes: largest mean first, equal ones by label."""

    ROWS = "classes"

    layer: str
    unit: int
    where: str | None
    selectivity: float | None = Field(description="over all images; null under a filter")
    why_none: str | None = Field(description="why there are no classes; null where there are")
    found: int = Field(description="classes on all pages")
    classes: list[UnitClassAnswer]
    next: str | None


class SimilarUnitAnswer(BaseModel):
    """A unit that fires in the same images. rank: from 1."""

    rank: int
    unit: int
    correlation: float
    picture: str | None = Field(description="address of the view of the strongest patch")


class SimilarUnitsAnswer(FromStore, Table):
    """By Pearson's correlation of the maxima over the images, descending; equal ones by number.

    Where `exact` is false, `images` of the images were looked at, evenly spread over the dataset: the layer has too
    many maxima. Units whose maxima are all equal have no correlation and are not among them.
    """

    ROWS = "similar"

    layer: str
    unit: int
    images: int
    exact: bool
    varies: bool = Field(
        description="false: the unit's own maxima are all equal, so it is similar to nothing"
    )
    similar: list[SimilarUnitAnswer]
