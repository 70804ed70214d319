"""What the API answers with: the shapes of its JSON. The OpenAPI document is made from these."""

from pydantic import BaseModel, Field

from .base import FromStore, Provenance, Table


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


class Health(BaseModel):
    """`ok`."""

    status: str
