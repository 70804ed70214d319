"""What many answers say: what they are made from, and the images that they show."""

from typing import ClassVar

from pydantic import BaseModel, Field


class ImageLabelAnswer(BaseModel):
    """One of the labels of an image. Null where it is none of the model's classes, or where nothing is predicted."""

    label: str
    label_index: int | None
    label_class: str | None = Field(description="the model's name for `label_index`")
    probability: float | None = Field(description="of this class, by a multi-label model")
    predicted: bool | None


class ImagePredictionAnswer(BaseModel):
    """One of the classes that a multi-label model predicts of an image. labelled: whether it is among its labels."""

    predicted: int
    predicted_class: str | None
    probability: float
    labelled: bool | None


class ImageFacts(BaseModel):
    """An image, its label, and the class predicted; null where it failed, or where the model has no such class.

    Where images have several labels, `label` is null and `labels` has them; `predictions` has the classes that a
    multi-label model predicts, and `predicted` is null.
    """

    image_id: int
    uri: str
    label: str | None
    label_index: int | None
    label_class: str | None = Field(description="the model's name for `label_index`")
    predicted: int | None
    predicted_class: str | None
    probability: float | None = Field(description="of the predicted class")
    labels: list[ImageLabelAnswer] | None = None
    predictions: list[ImagePredictionAnswer] | None = None
    thumb: str = Field(description="address of a small picture of the whole image")


class SizedImage(ImageFacts):
    """The same with the image's size in pixels."""

    width: int | None
    height: int | None


BoxJson = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the original image; x1 and y1 are outside."""


class Provenance(BaseModel):
    """What an answer is made from. Anything that makes it less than exact and true of a trained model is said here."""

    manifest: str = Field(description="SHA-256 of the store's manifest, which names every byte of the store")
    weights: str | None
    random: bool = Field(
        description="the weights are random: nothing here says anything about a trained model"
    )
    maxima_dtype: str = Field(description="float16 maxima are rounded, so equal values may be ordered by id")
    feature_dtype: str
    precision: str = Field(description="`exact`, or what the sweep was allowed instead")


class FromStore(Provenance):
    """An answer from one store."""

    store: str


class Table(BaseModel):
    """An answer with rows, in the field ROWS: it also comes as Arrow."""

    ROWS: ClassVar[str]
