"""What the API answers with where the network itself is asked: the shapes of its JSON."""

from typing import Literal

from pydantic import BaseModel, Field

from .base import BoxJson, FromStore
from .neighbors import NeighborsAnswer

Scale = Literal["unit", "layer", "dataset"]
FilterScale = Literal["filter", "layer"]
SAME = (
    "true: this service computes as the sweep did (same torch, same kind of processor), so that an image of the "
    "dataset gets the store's own numbers, bit for bit; false: they differ by rounding"
)


class ClassShare(BaseModel):
    """One class and its probability."""

    class_index: int
    class_name: str | None
    probability: float


class MosaicAnswer(BaseModel):
    """Where the cells of a picture lie: cell i is in row i // columns, column i % columns, from the upper left.

    Between cells are `gap` pixels of gray. height, width: of the whole picture, pixels.
    """

    cells: int
    rows: int
    columns: int
    cell_height: int
    cell_width: int
    gap: int
    height: int
    width: int


class MapsAnswer(FromStore):
    """How the activation maps of an image are shown. Black is 0, or the map's least value where that is below 0."""

    image_id: int
    layer: str
    kind: str
    units: int
    map_height: int = Field(description="positions of one map")
    map_width: int
    scale: Scale = Field(
        description="what is white: the greatest value of each unit's own map, of the layer's maps, or of the unit "
        "in the whole dataset"
    )
    input_height: int = Field(
        description="of the model's input, which the picture of one unit covers; pixels"
    )
    input_width: int
    seen: BoxJson = Field(description="the part of the original image that the model's input shows")
    mosaic: MosaicAnswer
    picture: str = Field(
        description="address of the mosaic; with `unit=` of one map, coloured, over the input"
    )
    array: str = Field(description="address of the values, a NumPy file, (units, height, width) float32")


class Prediction(BaseModel):
    """What the model says of the pixels that it was given now. prediction: empty where it has no classes."""

    prediction: list[ClassShare] = Field(description="the five most probable classes")
    height: int = Field(description="of the image, pixels")
    width: int
    seen: BoxJson = Field(description="the part of the image that the model's input shows")
    same_arithmetic: bool = Field(description=SAME)


class UploadNeighborsAnswer(NeighborsAnswer):
    """The neighbours of an uploaded image."""

    query: Prediction


class RegionNeighborsAnswer(NeighborsAnswer):
    """The neighbours of a box of an image, which goes through the preprocessing as if it were an image."""

    query: Prediction
    box: BoxJson = Field(description="what was asked about, clipped to the image")


FRAME_HEADER = "Unitscope-Live"


class FrameFacts(Prediction):
    """The header FRAME_HEADER of a picture of a frame: JSON in ASCII."""

    mosaic: MosaicAnswer | None = Field(description="null for the picture of one unit")
    layer: str
    unit: int | None
    seconds: float = Field(description="that the model worker took")


class FiltersAnswer(FromStore):
    """The filters of a layer. In a picture, mid-gray (128) is 0 and the largest magnitude is black or white."""

    layer: str
    shown: str = Field(description="what the numbers are, in a sentence")
    module: str = Field(description="the convolution")
    normalisation: str | None = Field(description="the module whose scale is multiplied in")
    units: int
    channels: int = Field(description="that each unit reads")
    filter_height: int
    filter_width: int
    rgb: bool = Field(description="the channels are the image's red, green and blue; a cell is a unit then")
    unit: int | None
    first_channel: int | None = Field(description="of the unit, where its cells are channels")
    scale: FilterScale = Field(description="each unit's own largest magnitude, or the layer's")
    largest: list[float] = Field(description="the magnitude that each cell is scaled by")
    mosaic: MosaicAnswer
    picture: str


class LiveAnswer(BaseModel):
    """The model worker. state: `idle` before the first request; `off` in a service without one."""

    state: Literal["off", "idle", "starting", "ready", "busy", "dead"]
    spare: bool = Field(description="whether another worker would be there at once, should this one die")
    waiting: int
    answered: int
    failed: int
    restarts: int
    retry_after: float = Field(description="seconds until a dead worker is started again")
    reason: str = Field(description="of its last death")
