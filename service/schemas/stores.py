"""What the API answers with: the shapes of its JSON. The OpenAPI document is made from these."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from .base import SizedImage

LARGEST = 1e36
"""Of a number in a vector: the distances of the widest vectors of such numbers still fit into float32."""
Metric = Literal["l2", "cosine"]
Space = Literal["features", "pixels"]
BoxJson = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the original image; x1 and y1 are outside."""


How = Literal["exact", "index", "graph", "wide"]
"""As in `index/neighbors/index.py`, which the clients do not need."""


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


class StoreAnswer(Provenance):
    """One store: what was swept, with what."""

    name: str
    images: int
    ok: int
    errors: dict[str, int]
    layers: int
    units: int
    model: str
    feature_note: str = Field(
        description="what a person should know about the choice of the feature; mostly nothing"
    )
    labels: str
    task: str | None = Field(
        default=None, description="of the model, such as `classification` or `multi-label`; null if not known"
    )
    several_labels: bool = Field(
        default=False,
        description="whether images have several labels, or the model predicts each class by itself",
    )
    indexed: bool = Field(
        description="whether there is an index; without one small stores are searched exactly"
    )
    atlases: list[str]


class StoresAnswer(Table):
    """The stores, in the order in which the service was given them."""

    ROWS = "stores"

    stores: list[StoreAnswer]


class GeometryAnswer(BaseModel):
    """What the positions of a grid can see, and do see (the view); lengths are pixels of the model's input."""

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
    view_y0: list[int]
    view_x0: list[int]


class BranchAnswer(GeometryAnswer):
    """What some units of a layer see, where units see different things."""

    units: list[int]


class LayerAnswer(GeometryAnswer):
    """One row of layers.parquet."""

    layer: str
    kind: str
    units: int
    height: int
    width: int
    branches: list[BranchAnswer]


class LayersAnswer(FromStore, Table):
    """The layers, in order of execution."""

    ROWS = "layers"

    layers: list[LayerAnswer]


class ImageAnswer(FromStore, SizedImage):
    """One row of images/, with the dataset's own columns in `metadata`."""

    model_config = ConfigDict(ser_json_bytes="base64", ser_json_inf_nan="null")

    sha256: str | None
    loss: float | None
    correct: bool | None
    status: str
    metadata: dict[str, Any]
    pixels: str


class NeighborAnswer(SizedImage):
    """One neighbour. rank: from 1."""

    rank: int
    distance: float


class NeighborsAnswer(FromStore, Table):
    """Nearest first; equal distances by image_id. metric: `l2` (not squared) or `cosine` (1 - cosine).

    The distances are exact in any case. Where `exact` is false, some of the nearest may be missing: `recall` is the
    share of the true `recall_of` nearest that was found when the index was built, without a filter; null where the
    neighbours are farther away than any that it was built with.
    """

    ROWS = "neighbors"

    space: Space = Field(
        "features", description="`pixels`: the thumbnails at 12 x 12 pixels, which no model has seen"
    )
    metric: str
    exact: bool
    search: How = Field(
        description="`exact`: every image was compared; `index`: the lists nearest to the query; `graph`: so for "
        "every image, when the index was built; `wide`: all lists and more candidates, because the neighbours are "
        "farther away than any that the index was tuned on"
    )
    recall: float | None
    recall_of: int | None
    where: str | None
    image_id: int | None = Field(description="the image asked about, which is left out; null for a vector")
    neighbors: list[NeighborAnswer]


class VectorQuery(BaseModel):
    """Neighbours of a vector: a feature that you have."""

    vector: list[Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]] = Field(
        min_length=1, max_length=65_536, description="as wide as the store's features"
    )
    k: int = Field(10, ge=1, le=1000)
    metric: Metric | None = Field(None, description="default: the index's")
    where: str | None = Field(None, max_length=4000)
    exact: bool = False


class CellAnswer(BaseModel):
    """One filled cell and the image nearest its centre."""

    row: int
    column: int
    image_id: int
    images: int = Field(description="that lie in the cell")
    thumb: str


class GridAnswer(FromStore, Table):
    """One image for each cell of a regular grid over the map; empty cells are left out."""

    ROWS = "cells"

    atlas: str
    side: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    cells: list[CellAnswer]


class AtlasRow(BaseModel):
    """One atlas. facts: its settings and measured quality."""

    name: str
    method: str
    images: int
    facts: dict[str, Any]


class AtlasAnswer(FromStore, AtlasRow):
    """One atlas of one store."""


class AtlasesAnswer(FromStore, Table):
    """The finished atlases."""

    ROWS = "atlases"

    atlases: list[AtlasRow]


class Health(BaseModel):
    """`ok`."""

    status: str
