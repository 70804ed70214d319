"""What the API answers with about lists of images, and about the units of one image: the shapes of its JSON."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .base import BoxJson, FromStore, SizedImage, Table


class ListedImageAnswer(SizedImage):
    """One image of a list; null where it failed, or where its class is not known to the model."""

    loss: float | None
    correct: bool | None
    status: str


class ImagesAnswer(FromStore, Table):
    """A page of images, failed ones too; those without a value last, equal ones by image_id."""

    ROWS = "images"

    where: str | None
    found: int = Field(description="images that pass the filter, on all pages")
    images: list[ListedImageAnswer]
    next: str | None


class ImageUnitAnswer(BaseModel):
    """A unit that fires in an image far above its mean, and where. rank: from 1, among the images of the dataset.

    Equal values share the better rank; it is null where finding it out would read too much: ask for one layer.
    """

    unit: int
    value: float | None = Field(description="null where it is infinite or NaN, if the sweep allowed that")
    score: float | None = Field(description="(value - mean) / standard deviation over the dataset")
    rank: int | None
    y: int
    x: int
    box: BoxJson = Field(description="the receptive field")
    view: BoxJson = Field(description="what the unit does see of it")
    crop: str = Field(description="address of the view's pixels")


class ImageLayerAnswer(BaseModel):
    """The units of one layer with the largest scores in an image, largest first, equal ones by number."""

    layer: str
    units: list[ImageUnitAnswer]


class ImageUnitsAnswer(FromStore):
    """The strongest units of an image, by layer in order of execution; none for an image that failed."""

    image_id: int
    status: str
    images: int = Field(description="that have a rank: the 50,000 of `3rd of 50,000`")
    layers: list[ImageLayerAnswer]


class ImageAnswer(FromStore, SizedImage):
    """One row of images/, with the dataset's own columns in `metadata`."""

    model_config = ConfigDict(ser_json_bytes="base64", ser_json_inf_nan="null")

    sha256: str | None
    loss: float | None
    correct: bool | None
    status: str
    metadata: dict[str, Any]
    pixels: str
