"""What every answer says of an image that it shows."""

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
