"""Writes one part of each table from the shard files of that part. Any process may call each, in any order.

Each is resumable: what it made is noted under `.work/merged/`, and a second call gives the note back. What a function
needs to be there first, its docstring says. The same shards give the same bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import ImageStatus, StoreDamagedError
from ..format.batches import regroup
from ..format.files import ERRORS, FEATURES, IMAGES, LAYERS, PLAN, layer_features_table, part_path
from ..format.layer_row import LayerRow
from ..format.parquet_writer import IMAGE_ROWS, feature_rows, features_settings, table_file, text_settings
from ..format.schema import (
    ERRORS_SCHEMA,
    LAYERS_SCHEMA,
    averaged_column,
    features_schema,
    images_schema,
    metadata_fields,
)
from ..labels.columns import SWEPT_FIELDS
from ..storage.folder import Folder
from ..storage.hashed_file import PartRecord
from .classes import write_classes
from .image_units import write_strongest
from .labels import distinct_labels, note_labels
from .maxima import write_maxima
from .notes import Merged, Part, resume
from .selectivity import write_selectivity
from .shards import shard_blocks, shard_types
from .units import write_units

__all__ = [
    "Merged",
    "Part",
    "PartRecord",
    "distinct_labels",
    "note_labels",
    "write_classes",
    "write_errors",
    "write_features",
    "write_images",
    "write_layer_features",
    "write_layers",
    "write_maxima",
    "write_selectivity",
    "write_strongest",
    "write_units",
]

_SHARD_COLUMNS = ("sha256", "width", "height", "predicted", "probability", "loss", "status")


def write_images(folder: Folder, part: Part) -> Merged:
    """Write `images/part-N.parquet` from `plan/part-N.parquet` and the shards. Holds one row group in memory."""
    return resume(folder, f"images-{part.number:05d}", lambda: _write_images(folder, part))


def _write_images(folder: Folder, part: Part) -> Merged:
    plan_path = part_path(PLAN, part.number)
    with folder.open(plan_path) as source, pq.ParquetFile(source) as plan:
        known = shard_types(folder, part).names
        lists = [field for field in SWEPT_FIELDS if field.name in known]
        schema = images_schema(
            [field.remove_metadata() for field in metadata_fields(plan.schema_arrow)], lists
        )
        planned = regroup(plan.iter_batches(IMAGE_ROWS), IMAGE_ROWS)
        columns = [*_SHARD_COLUMNS, *(field.name for field in lists)]
        swept = shard_blocks(folder, part, columns, IMAGE_ROWS)
        with table_file(folder, part_path(IMAGES, part.number), schema, text_settings()) as table:
            for rows, pieces in zip(planned, swept, strict=True):
                table.write(
                    _join(pa.Table.from_batches(rows), pa.Table.from_batches(pieces), schema, plan_path)
                )
    return Merged(table.record)


def _join(planned: pa.Table, swept: pa.Table, schema: pa.Schema, path: str) -> pa.Table:
    """Return the columns of images/: from the sweep where it has them, else from the plan."""
    if not planned["image_id"].equals(swept["image_id"]):
        raise StoreDamagedError(f"{path} and the shards list different images; sweep again into a new folder")
    columns = [(swept if name in swept.column_names else planned)[name] for name in schema.names]
    return pa.Table.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def write_features(folder: Folder, part: Part) -> Merged:
    """Write `features/part-N.parquet` from the shards. Holds one row group in memory."""
    return resume(
        folder, f"features-{part.number:05d}", lambda: _write_features(folder, part, FEATURES, "feature")
    )


def write_layer_features(folder: Folder, part: Part, layer: str, number: int) -> Merged:
    """Write `layer_features/<layer>/part-N.parquet`, as `write_features`. number: among the averaged layers."""
    return resume(
        folder,
        f"layer-features-{number}-{part.number:05d}",
        lambda: _write_features(folder, part, layer_features_table(layer), averaged_column(number)),
    )


def _write_features(folder: Folder, part: Part, name: str, column: str) -> Merged:
    feature = shard_types(folder, part).field(column).type
    schema = features_schema(feature.list_size, feature.value_type)
    rows = feature_rows(feature.list_size)
    with table_file(folder, part_path(name, part.number), schema, features_settings()) as table:
        for pieces in shard_blocks(folder, part, [column], rows):
            table.write(pa.Table.from_batches(pieces).rename_columns(schema.names).cast(schema))
    return Merged(table.record)


def write_errors(folder: Folder, parts: Sequence[Part]) -> Merged:
    """Write `errors.parquet` of all parts. Needs every `write_images` done and the shards, for the reasons."""
    return resume(folder, "errors", lambda: _write_errors(folder, parts))


def _write_errors(folder: Folder, parts: Sequence[Part]) -> Merged:
    with table_file(folder, ERRORS, ERRORS_SCHEMA, text_settings()) as table:
        written = False
        for part in parts:
            for failed in _failed(folder, part):
                table.write(failed)
                written = True
        if not written:
            table.write(ERRORS_SCHEMA.empty_table())
    return Merged(table.record)


def _failed(folder: Folder, part: Part) -> Iterator[pa.Table]:
    """Yield the failed images of each row group that has some."""
    with folder.open(part_path(IMAGES, part.number)) as source, pq.ParquetFile(source) as images:
        blocks = shard_blocks(folder, part, ["status", "reason"], IMAGE_ROWS)
        for group, pieces in enumerate(blocks):
            swept = pa.Table.from_batches(pieces)
            failed = np.flatnonzero(np.array(swept["status"].to_pylist()) != ImageStatus.OK.value)
            if len(failed):
                uris = images.read_row_group(group, columns=["uri"], use_threads=False)["uri"]
                rows = swept.take(failed).append_column("uri", uris.take(failed))
                yield rows.select(ERRORS_SCHEMA.names).cast(ERRORS_SCHEMA)


def write_layers(folder: Folder, layers: Sequence[LayerRow]) -> Merged:
    """Write `layers.parquet`, in the order given: the number of a layer is its row."""
    return resume(folder, "layers", lambda: _write_layers(folder, layers))


def _write_layers(folder: Folder, layers: Sequence[LayerRow]) -> Merged:
    rows = [asdict(layer) for layer in layers]
    with table_file(folder, LAYERS, LAYERS_SCHEMA, text_settings()) as table:
        table.write(pa.Table.from_pylist(rows, schema=LAYERS_SCHEMA))
    return Merged(table.record)
