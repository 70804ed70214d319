"""What every answer says of an image that it shows."""

from pydantic import BaseModel, Field


class ImageFacts(BaseModel):
    """An image, its label, and what it was taken for; null where it failed, or where the model has no such class."""

    image_id: int
    uri: str
    label: str | None
    label_index: int | None
    label_class: str | None = Field(description="the model's name for `label_index`")
    predicted: int | None
    predicted_class: str | None
    probability: float | None = Field(description="of the predicted class")
    thumb: str = Field(description="address of a small picture of the whole image")


class SizedImage(ImageFacts):
    """The same with the image's size in pixels."""

    width: int | None
    height: int | None
