"""Writes one part of `strongest/`: the units of each layer that an image fires furthest above their mean."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa

from . import statistics
from .files import Folder
from .maxima_table import part_notes
from .merged import Merged, Part, resume
from .parquet_files import strongest_rows, strongest_settings, table_file
from .schema import STRONGEST, STRONGEST_SCHEMA, STRONGEST_TYPE, LayerRow, part_path
from .shard_files import list_values, shard_blocks
from .statistics import Statistics
from .topk import strength_keys

STRONGEST_OF_LAYER = 8
"""Units that are kept of each layer of an image, at most."""

_BLOCK = 2**16
"""Scores looked at together: 512 KiB of float64, which stays in the processor's cache."""
_BLOCK_ROWS = 4096
"""Images looked at together."""
_GROUP = 16
"""Scores whose largest stands for them when the lowest that is kept is looked for."""


ENTRY = np.dtype([("layer", np.int32), ("unit", np.int32), ("value", np.float32), ("score", np.float32)])
"""A row of STRONGEST_TYPE."""


def write_strongest(folder: Folder, part: Part, parts: Sequence[Part], layers: Sequence[LayerRow]) -> Merged:
    """Writes `strongest/part-N.parquet` of `part`. parts: all of them, for the statistics of the units.

    Holds `_BLOCK_ROWS` images. Needs every `write_maxima` done; raises StoreError where one is not.
    """
    return resume(folder, f"strongest-{part.number:05d}", lambda: _write(folder, part, parts, layers))


def _write(folder: Folder, part: Part, parts: Sequence[Part], layers: Sequence[LayerRow]) -> Merged:
    measured = [
        reduce(statistics.merge, (note.statistics for note in part_notes(folder, parts, layers, number)))
        for number in range(len(layers))
    ]
    columns = [f"m{number}" for number in range(len(layers))]
    rows = strongest_rows(sum(min(STRONGEST_OF_LAYER, layer.units) for layer in layers))
    path = part_path(STRONGEST, part.number)
    with table_file(folder, path, STRONGEST_SCHEMA, strongest_settings()) as table:
        for pieces in shard_blocks(folder, part, columns, max(rows, _BLOCK_ROWS)):
            block = _table(pieces, columns, measured)
            for first in range(0, block.num_rows, rows):
                table.write(block.slice(first, rows))
    return Merged(table.record)


def _table(
    pieces: Sequence[pa.RecordBatch], columns: Sequence[str], measured: Sequence[Statistics]
) -> pa.Table:
    """Rows of STRONGEST_SCHEMA."""
    found = [
        np.concatenate([strongest(list_values(piece[name]), one) for piece in pieces])
        for name, one in zip(columns, measured, strict=True)
    ]
    layers = np.repeat(np.arange(len(found)), [one.shape[1] for one in found])
    entries = np.concatenate(found, axis=1)
    entries["layer"] = layers
    valid = np.concatenate([piece[columns[0]].is_valid().to_numpy(zero_copy_only=False) for piece in pieces])
    ids = np.concatenate([piece["image_id"].to_numpy() for piece in pieces])
    kept = entries[valid].reshape(-1)
    structs = pa.StructArray.from_arrays(
        [pa.array(np.ascontiguousarray(kept[name])) for name in STRONGEST_TYPE.names],
        fields=list(STRONGEST_TYPE),
    )
    offsets = np.concatenate([[0], np.cumsum(valid)]).astype(np.int32) * np.int32(len(layers))
    units = STRONGEST_SCHEMA.field("units").type
    lists = pa.ListArray.from_arrays(pa.array(offsets), structs, type=units, mask=pa.array(~valid))
    return pa.table([pa.array(ids), lists], schema=STRONGEST_SCHEMA)


def strongest(values: np.ndarray, measured: Statistics) -> np.ndarray:
    """The units with the largest scores of each image, by score descending, then unit ascending.

    values: (images, units) float, of one layer. A score is (value - mean) / std in float64, rounded to float32; 0 where
    the unit's std is 0 or no number. Gives (images, places) ENTRY without the layer; places is at most
    STRONGEST_OF_LAYER.
    """
    images, units = values.shape
    places = min(STRONGEST_OF_LAYER, units)
    chosen = np.zeros((images, places), ENTRY)
    step = max(1, _BLOCK // units)
    std = measured.std
    scored = np.isfinite(measured.means) & np.isfinite(std) & (std > 0)
    means, std = np.where(scored, measured.means, 0), np.where(scored, std, np.inf)
    with np.errstate(invalid="ignore"):  # of failed images, and where infinities are allowed in
        for first in range(0, images, step):
            block = values[first : first + step]
            scores = ((block.astype(np.float64) - means) / std).astype(np.float32)
            scores[np.isnan(scores)] = 0
            columns = largest(scores, places)
            target = chosen[first : first + step]
            target["unit"] = columns
            target["value"] = np.take_along_axis(block, columns, axis=1)
            target["score"] = np.take_along_axis(scores, columns, axis=1)
    return chosen


def largest(scores: np.ndarray, k: int) -> np.ndarray:
    """(rows, k) int64: the columns of the k largest of each row, the lower column first where they are equal.

    scores: (rows, columns) float32 without NaN, k <= columns. The k-th largest of the groups' largest is a lower bound
    of the k-th largest; only what is not below it is sorted.
    """
    rows, columns = scores.shape
    groups = columns // _GROUP
    if groups < k:
        keys = strength_keys(scores) | np.arange(columns, dtype=np.uint64)
    else:
        grouped = scores[:, : groups * _GROUP].reshape(rows, _GROUP, groups).max(axis=1)
        bound = np.partition(grouped, groups - k, axis=1)[:, groups - k]
        row, column = np.divmod(np.flatnonzero(scores >= bound[:, None]), columns)
        counts = np.bincount(row, minlength=rows)
        keys = np.full((rows, counts.max()), np.iinfo(np.uint64).max)
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        keys[row, place] = strength_keys(scores[row, column]) | column.astype(np.uint64)
    if keys.shape[1] > 2 * k:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    return (np.sort(keys, axis=1)[:, :k] & np.uint64(2**32 - 1)).astype(np.int64)
