"""What the API answers about a layer's own atlases: of its units, and of its activations at single positions."""

from typing import Literal

from pydantic import BaseModel, Field

from .atlases import PlaceInGrid, ViewName
from .base import ImageFacts
from .stores import BoxJson, FromStore
from .units import UnitAnswer

Kind = Literal["units", "activations"]


class LayerAtlasAnswer(FromStore):
    """A layer's atlas: what is on it, how it was made, and how good it is."""

    layer: str
    kind: Kind
    items: int = Field(
        description="on the map: units of the layer, or samples, each of one position in one image"
    )
    facts: dict[str, int | float | str]


class SampleAnswer(ImageFacts):
    """A sample: the activations of all units at one random position of an image."""

    sample: int
    y: int
    x: int
    view: BoxJson = Field(description="what the position sees: x0, y0, x1, y1 in the original image")
    picture: str


class NearSample(BaseModel):
    """A sample whose activation is near the mean of a cell. distance: L2."""

    sample: int
    distance: float
    image_id: int
    picture: str


class CellMeanAnswer(BaseModel):
    """The mean activation of the samples in a cell of the nearest grid.

    The label and the predicted class that are the commonest among the samples' images: a count, no attribution through
    the network.
    """

    samples: int
    label: str | None
    label_samples: int | None
    predicted: int | None
    predicted_class: str | None
    predicted_samples: int | None
    nearest: list[NearSample] = Field(
        description="of all samples the nearest to the mean; the cell shows the nearest of its own"
    )


class LayerCellAnswer(FromStore):
    """What a view of a layer's atlas shows at a place; `item` is null where nothing is."""

    layer: str
    kind: Kind
    grid: ViewName
    row: int
    column: int
    level: int
    items: int = Field(description="that lie in the cell")
    item: int | None
    unit: UnitAnswer | None = Field(description="of the atlas of units")
    sample: SampleAnswer | None = Field(description="of the atlas of activations")
    mean: CellMeanAnswer | None = Field(description="of a cell of its nearest grid")


class ItemPlacesAnswer(FromStore):
    """Where a unit or a sample is on the map. x, y: its coordinates."""

    layer: str
    kind: Kind
    item: int
    x: float
    y: float
    cells: list[PlaceInGrid]
