"""What the API answers with: the shapes of its JSON. The OpenAPI document is made from these."""

from typing import Any

from pydantic import BaseModel, Field

BoxJson = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the original image; x1 and y1 are outside."""


class StoreAnswer(BaseModel):
    """One store: what was swept, with what."""

    name: str
    images: int
    ok: int
    errors: dict[str, int]
    layers: int
    units: int
    model: str
    weights: str
    random: bool = Field(
        description="the weights are random: nothing here says anything about a trained model"
    )
    maxima_dtype: str
    labels: str
    manifest: str = Field(description="SHA-256 of the manifest, which names every byte of the store")
    indexed: bool
    atlases: list[str]


class StoresAnswer(BaseModel):
    stores: list[StoreAnswer]


class LayerAnswer(BaseModel):
    """One row of layers.parquet; lengths are pixels of the model's input."""

    layer: str
    kind: str
    units: int
    height: int
    width: int
    rf_height: int
    rf_width: int
    stride_y: int
    stride_x: int
    start_y: int
    start_x: int
    local_rf_height: int
    local_rf_width: int
    view_height: int
    view_width: int


class LayersAnswer(BaseModel):
    layers: list[LayerAnswer]


class UnitAnswer(BaseModel):
    """Statistics of the per-image maxima of one unit; null where no image has a value."""

    layer: str
    unit: int
    images: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    active: float | None = Field(description="share of images with a maximum above 0")


class UnitsAnswer(BaseModel):
    """A page of units; `next` is the cursor of the page after it, null at the end."""

    units: list[UnitAnswer]
    next: str | None


class PatchAnswer(BaseModel):
    """One strong patch. rank: from 1. box: the receptive field; view: what the unit does see of it."""

    rank: int
    value: float
    image_id: int
    y: int
    x: int
    box: BoxJson
    view: BoxJson
    uri: str
    width: int
    height: int
    label: str | None
    predicted: int | None
    predicted_class: str | None
    image: str = Field(description="address of the image's pixels")
    crop: str = Field(description="address of the view's pixels")


class PatchesAnswer(BaseModel):
    """Strongest first; equal values by image_id. `exact` is always true: the whole dataset was looked at."""

    layer: str
    unit: int
    where: str | None
    exact: bool = True
    maxima_dtype: str
    random: bool
    patches: list[PatchAnswer]


class ImageAnswer(BaseModel):
    """One row of images/, with the dataset's own columns in `metadata`."""

    image_id: int
    uri: str
    sha256: str | None
    width: int | None
    height: int | None
    label: str | None
    label_index: int | None
    predicted: int | None
    predicted_class: str | None
    probability: float | None
    loss: float | None
    correct: bool | None
    status: str
    metadata: dict[str, Any]
    pixels: str
    thumb: str


class NeighborAnswer(BaseModel):
    rank: int
    distance: float
    image_id: int
    uri: str
    label: str | None
    predicted: int | None
    predicted_class: str | None
    thumb: str


class NeighborsAnswer(BaseModel):
    """Nearest first. metric: `l2` (not squared) or `cosine` (1 - cosine). recall: measured when the index was built."""

    metric: str
    exact: bool
    recall: float | None
    where: str | None
    random: bool
    neighbors: list[NeighborAnswer]


class VectorQuery(BaseModel):
    """Neighbours of a vector: a feature that you have."""

    vector: list[float] = Field(min_length=1, max_length=65_536)
    k: int = Field(10, ge=1, le=1000)
    metric: str | None = Field(None, pattern="^(l2|cosine)$")
    where: str | None = Field(None, max_length=4000)
    exact: bool = False


class CellAnswer(BaseModel):
    row: int
    column: int
    image_id: int
    thumb: str


class GridAnswer(BaseModel):
    """One image for each cell of a regular grid over the map; empty cells are left out."""

    atlas: str
    side: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    cells: list[CellAnswer]


class AtlasAnswer(BaseModel):
    name: str
    method: str
    images: int
    facts: dict[str, Any]


class AtlasesAnswer(BaseModel):
    atlases: list[AtlasAnswer]


class Health(BaseModel):
    status: str
