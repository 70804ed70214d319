"""The columns of every table of a store, format version 1 (files.py: the names of its files).

The order and the types of the columns are the format: docs/store.md explains them to whoever reads the files.
"""

from collections.abc import Sequence
from dataclasses import fields

import pyarrow as pa

from ..labels.columns import INDICES_FIELD, LABEL_INDICES
from .layer_row import Branch, Geometry, LayerRow

FORMAT_VERSION = 1
LABELS_LIMIT = 4096
"""Distinct labels of a dataset, at most: with more, nothing is kept by label."""

_INT32 = pa.int32()
_INT32_LIST = pa.list_(_INT32)
_LIST_COLUMNS = ("view_y0", "view_x0", "units")


def _geometry_field(name: str) -> pa.Field:
    return pa.field(name, _INT32_LIST if name in _LIST_COLUMNS else _INT32, nullable=False)


BRANCH_TYPE = pa.struct([_geometry_field(column.name) for column in fields(Branch)])
LAYERS_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("layer", "kind")),
        *(pa.field(name, _INT32, nullable=False) for name in ("units", "height", "width")),
        *(_geometry_field(column.name) for column in fields(Geometry)),
        pa.field("branches", pa.list_(BRANCH_TYPE), nullable=False),
    ]
)

PATCH_TYPE = pa.struct(
    [
        pa.field("value", pa.float32()),
        pa.field("image_id", pa.int64()),
        *(pa.field(name, _INT32) for name in ("y", "x", "x0", "y0", "x1", "y1", "vx0", "vy0", "vx1", "vy1")),
    ]
)

UNIT_STATISTICS: tuple[str, ...] = (
    "layer",
    "unit",
    "images",
    "mean",
    "std",
    "min",
    "max",
    "active",
    "nonfinite",
)

UNITS_SCHEMA = pa.schema(
    [
        ("layer", pa.string()),
        ("unit", _INT32),
        ("images", pa.int64()),
        ("mean", pa.float64()),
        ("std", pa.float64()),
        ("min", pa.float32()),
        ("max", pa.float32()),
        ("active", pa.float64()),
        ("top", pa.list_(PATCH_TYPE)),
        ("nonfinite", pa.int64()),
    ]
)

CONFUSION_TYPE = pa.struct([pa.field("predicted", _INT32), pa.field("images", pa.int64())])

CLASSES_SCHEMA = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        ("label_index", _INT32),
        ("images", pa.int64()),
        ("correct", pa.int64()),
        ("predicted", pa.int64()),
        ("mean_probability", pa.float64()),
        ("mean_loss", pa.float64()),
        ("confusions", pa.list_(CONFUSION_TYPE)),
    ]
)

SELECTIVITY_SCHEMA = pa.schema(
    [
        ("layer", pa.string()),
        ("unit", _INT32),
        ("label", pa.string()),
        ("selectivity", pa.float32()),
        ("means", pa.list_(pa.float32())),
    ]
)

STRONGEST_TYPE = pa.struct(
    [
        pa.field("layer", _INT32, nullable=False),
        pa.field("unit", _INT32, nullable=False),
        pa.field("value", pa.float32(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
    ]
)

STRONGEST_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        ("units", pa.list_(pa.field("element", STRONGEST_TYPE, nullable=False))),
    ]
)
"""`strongest/part-*.parquet`; no null within the list, which makes a row twice as quick to read."""

ERRORS_SCHEMA = pa.schema(
    [("image_id", pa.int64()), ("uri", pa.string()), ("status", pa.string()), ("reason", pa.string())]
)

_PLAN_FIELDS = (
    pa.field("image_id", pa.int64(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("size", pa.int64()),
    pa.field("etag", pa.string()),
    pa.field("label", pa.string()),
    pa.field("label_index", _INT32),
    pa.field("file", pa.string()),
    pa.field("offset", pa.int64()),
    pa.field("length", pa.int64()),
)

_IMAGE_FIELDS = (
    pa.field("image_id", pa.int64(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("sha256", pa.string()),
    pa.field("width", _INT32),
    pa.field("height", _INT32),
    pa.field("label", pa.string()),
    pa.field("label_index", _INT32),
    pa.field("predicted", _INT32),
    pa.field("probability", pa.float32()),
    pa.field("loss", pa.float32()),
    pa.field("status", pa.string(), nullable=False),
)

PLAN_COLUMNS: tuple[str, ...] = tuple(field.name for field in _PLAN_FIELDS)
IMAGE_COLUMNS: tuple[str, ...] = tuple(field.name for field in _IMAGE_FIELDS)


def plan_schema(metadata: Sequence[pa.Field] = ()) -> pa.Schema:
    """Return `plan/part-*.parquet`: where each image is; `metadata` are the dataset's own columns under their names
    here.

    Where images have several classes, `label_indices` is among them.
    """
    return pa.schema([*_PLAN_FIELDS, *metadata])


def metadata_fields(plan: pa.Schema) -> list[pa.Field]:
    """Return the dataset's own columns in a plan's schema."""
    return [plan.field(name) for name in plan.names if name not in (*PLAN_COLUMNS, LABEL_INDICES)]


def images_schema(metadata: Sequence[pa.Field] = (), lists: Sequence[pa.Field] = ()) -> pa.Schema:
    """Return `images/part-*.parquet`. lists: of `label_lists.SWEPT_FIELDS` those that the shards have."""
    return pa.schema([*_IMAGE_FIELDS, *([INDICES_FIELD, *lists] if lists else []), *metadata])


def features_schema(width: int, feature_type: pa.DataType) -> pa.Schema:
    """Return `features/part-*.parquet`; the feature is null where the image failed."""
    return pa.schema(
        [pa.field("image_id", pa.int64(), nullable=False), ("feature", pa.list_(feature_type, width))]
    )


def maxima_schema(layer: LayerRow, maxima_type: pa.DataType) -> pa.Schema:
    """Return `maxima/<layer>/part-*.parquet`: image_id, u0 … , and p0 … where the layer has positions."""
    columns = [pa.field("image_id", pa.int64(), nullable=False)]
    columns += [pa.field(f"u{unit}", maxima_type) for unit in range(layer.units)]
    if layer.has_positions:
        columns += [pa.field(f"p{unit}", layer.position_type) for unit in range(layer.units)]
    return pa.schema(columns)


def shard_schema(
    layers: Sequence[LayerRow],
    feature_width: int,
    feature_type: pa.DataType,
    maxima_type: pa.DataType,
    *,
    averaged: Sequence[int] = (),
    lists: Sequence[pa.Field] = (),
) -> pa.Schema:
    """Return `.work/shards/shard-*.arrow`: one row per image; m{i} and p{i} hold all units of layer number i.

    averaged: the units of the layers whose mean is kept as a feature; f{i} is that of the i-th.
    lists: of `label_lists.SWEPT_FIELDS` those that the sweep writes.
    A failed image is null in all but image_id, status, reason and, where known, sha256, width and height.
    """
    columns = [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("sha256", pa.string()),
        pa.field("width", _INT32),
        pa.field("height", _INT32),
        pa.field("predicted", _INT32),
        pa.field("probability", pa.float32()),
        pa.field("loss", pa.float32()),
        *lists,
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("feature", pa.list_(feature_type, feature_width)),
    ]
    for number, layer in enumerate(layers):
        columns.append(pa.field(f"m{number}", pa.list_(maxima_type, layer.units)))
        if layer.has_positions:
            columns.append(pa.field(f"p{number}", pa.list_(layer.position_type, layer.units)))
    columns += [
        pa.field(averaged_column(number), pa.list_(feature_type, units))
        for number, units in enumerate(averaged)
    ]
    return pa.schema(columns)


def averaged_column(number: int) -> str:
    """Return the column of a shard file that holds the mean of the averaged layer `number`."""
    return f"f{number}"
