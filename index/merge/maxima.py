"""Writes one part of `maxima/<layer>/`, and makes the part's top-k, statistics and sums by label of the same block."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ...common.errors import StoreError
from ..format.files import maxima_table, part_path
from ..format.layer_row import LayerRow
from ..format.parquet_writer import maxima_rows, maxima_settings, table_file
from ..format.schema import maxima_schema
from ..labels.codes import LabelCodes
from ..stats.moments import Statistics
from ..stats.topk import TopK
from ..storage.folder import Folder
from .class_sums import class_missing, class_sums
from .labels import label_numbers
from .notes import Merged, Part, Reduced, load, resume
from .shards import list_values, shard_blocks, shard_types
from .transpose import transpose_into


def write_maxima(folder: Folder, part: Part, layers: Sequence[LayerRow], number: int, *, k: int) -> Merged:
    """Write `maxima/<layer>/part-N.parquet` for layers[number].

    Holds one row group in memory (`parquet_files.maxima_rows`). Needs `note_labels` done. Raises StoreDamagedError for
    a wrong shard file.
    """
    return resume(folder, note_name(part, number), lambda: _write(folder, part, layers[number], number, k))


def note_name(part: Part, number: int) -> str:
    """Return what the task of this part and layer is called in `.work/merged/`."""
    return f"maxima-{number:04d}-{part.number:05d}"


def part_notes(
    folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow], number: int
) -> Iterator[Reduced]:
    """Yield what `write_maxima` noted of layers[number], part by part. Raises StoreError where it was not called."""
    for part in parts:
        note = load(folder, note_name(part, number))
        if note is None or note.maxima is None:
            raise StoreError(
                f"the maxima of {layers[number].layer}, part {part.number}, are not merged yet; run the sweep again to "
                "resume"
            )
        yield note.maxima


def _write(folder: Folder, part: Part, layer: LayerRow, number: int, k: int) -> Merged:
    labels = label_numbers(folder, part)
    count = len(labels.names)
    merged = Reduced.empty(layer.units, count)
    columns = [f"m{number}", f"p{number}"] if layer.has_positions else [f"m{number}"]
    schema = maxima_schema(layer, shard_types(folder, part).field(columns[0]).type.value_type)
    path = part_path(maxima_table(layer.layer), part.number)
    with table_file(folder, path, schema, maxima_settings(schema)) as table:
        for pieces in shard_blocks(folder, part, columns, maxima_rows(layer.units)):
            block = _Block(pieces, columns)
            table.write(block.table(schema))
            first = int(block.ids[0]) - part.first
            merged = merged.add(block.reduce(k, labels.labels.slice(first, len(block.ids)), count), k)
            del block  # or there would be two while the next is made
    return Merged(table.record, merged)


class _Block:
    """One row group, unit-major. values: (units, images) float; positions: (units, images) or None; valid: (images,)
    bool; ids: (images,) int64."""

    def __init__(self, pieces: list[pa.RecordBatch], columns: Sequence[str]) -> None:
        self.ids = np.concatenate([piece["image_id"].to_numpy() for piece in pieces])
        self.valid = np.concatenate(
            [piece[columns[0]].is_valid().to_numpy(zero_copy_only=False) for piece in pieces]
        )
        self.values = _unit_major(pieces, columns[0])
        self.positions = _unit_major(pieces, columns[1]) if len(columns) > 1 else None

    def table(self, schema: pa.Schema) -> pa.Table:
        """View of the block's rows as the table's columns; images that failed are null in all of them."""
        missing = len(self.valid) - int(np.count_nonzero(self.valid))
        bitmap = pa.array(self.valid).buffers()[1] if missing else None
        rows = list(self.values) if self.positions is None else [*self.values, *self.positions]
        arrays = [pa.array(self.ids)]
        arrays += [
            pa.Array.from_buffers(field.type, len(row), [bitmap, pa.py_buffer(row)], missing)
            for field, row in zip(list(schema)[1:], rows, strict=True)
        ]
        return pa.Table.from_arrays(arrays, schema=schema)

    def reduce(self, k: int, labels: LabelCodes, count: int) -> Reduced:
        """Return what is kept of the images that are there. labels: of all images, numbers below `count`."""
        values, positions, ids = self.values, self.positions, self.ids
        if not self.valid.all():
            values, ids = np.compress(self.valid, values, axis=1), ids[self.valid]
            labels = labels.take(np.flatnonzero(self.valid))
            positions = None if positions is None else np.compress(self.valid, positions, axis=1)
        values = values.astype(np.float32, copy=False)
        labelled = values if labels.rows is None else values[:, labels.rows]
        return Reduced(
            TopK.of_units(values, ids, positions, k),
            Statistics.of_units(values),
            class_sums(labelled, labels.numbers, count),
            class_missing(labelled, labels.numbers, count),
        )


def _unit_major(pieces: list[pa.RecordBatch], column: str) -> np.ndarray:
    """Return (units, images) of a list column of all pieces."""
    parts = [list_values(piece[column]) for piece in pieces]
    images = sum(len(one) for one in parts)
    target = np.empty((parts[0].shape[1], images), parts[0].dtype)
    first = 0
    for one in parts:
        transpose_into(target[:, first : first + len(one)], one)
        first += len(one)
    return target
