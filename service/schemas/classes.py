"""What the API answers with about classes, and about what is noteworthy in a store: the shapes of its JSON."""

from typing import Literal

from pydantic import BaseModel, Field

from .base import FromStore, Table
from .images import ListedImageAnswer


class ConfusionAnswer(BaseModel):
    """Another class that images of one were taken for."""

    predicted: int
    predicted_class: str | None
    images: int
    share: float = Field(description="of the images of the class that they are of")


class ClassAnswer(BaseModel):
    """One label of the dataset. Null where the model has no class of it."""

    label: str
    label_index: int | None
    label_class: str | None = Field(description="the model's name for `label_index`")
    images: int = Field(description="with this label that did not fail")
    correct: int | None
    accuracy: float | None = Field(description="correct / images")
    predicted: int | None = Field(description="images of the whole dataset that are predicted as this class")
    mean_probability: float | None = Field(description="of the predicted class of each image")
    mean_loss: float | None
    confusions: list[ConfusionAnswer] = Field(description="most frequent first; in lists the first few")


class ClassesAnswer(FromStore, Table):
    """A page of the classes; those without a value last, equal ones by label."""

    ROWS = "classes"

    why_none: str | None = Field(description="why there are no classes; null where there are")
    found: int = Field(description="classes on all pages")
    classes: list[ClassAnswer]
    next: str | None


class SelectiveUnitAnswer(BaseModel):
    """A unit and the label that it fires most for."""

    layer: str
    unit: int
    label: str
    selectivity: float = Field(description="class selectivity index (Morcos et al. 2018), from 0 to 1")
    picture: str = Field(description="address of the view of the strongest patch")


class TypicalImageAnswer(ListedImageAnswer):
    """An image, and how far its feature is from the mean feature of its class."""

    distance: float | None


class OneClassAnswer(FromStore, ClassAnswer):
    """One class with its most selective units of all layers, its hardest and its most typical images.

    hardest: the largest losses, largest first. typical: by `feature`, the images nearest to the mean of the class's
    features (L2), nearest first; where those are too many to read, by `loss`, the smallest losses.
    """

    units: list[SelectiveUnitAnswer]
    hardest: list[ListedImageAnswer]
    typical: list[TypicalImageAnswer]
    typical_by: Literal["feature", "loss"]


class DeadUnitsAnswer(BaseModel):
    """How many units of a layer no image fires: none has a maximum above 0. examples: the first of them."""

    layer: str
    units: int
    dead: int
    examples: list[int]


class PairAnswer(ConfusionAnswer):
    """A class and one that its images were taken for."""

    label: str
    label_index: int | None
    label_class: str | None


class FailedImageAnswer(BaseModel):
    """An image that failed."""

    image_id: int
    uri: str
    status: str
    reason: str | None


class OverviewAnswer(FromStore):
    """What is noteworthy. Weakest: lowest accuracy first. confusions: most images first. selective: largest first."""

    dead: list[DeadUnitsAnswer] = Field(description="of each layer, in order of execution")
    why_no_classes: str | None
    classes: int
    accuracy: float | None = Field(description="over all images whose class is known")
    weakest: list[ClassAnswer]
    confusions: list[PairAnswer]
    selective: list[SelectiveUnitAnswer]
    errors: dict[str, int] = Field(description="how many images failed, by status")
    failed: list[FailedImageAnswer] = Field(description="the first of them")
