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

STRONGEST_OF_LAYER = 8
"""Units that are kept of each layer of an image, at most."""

_BLOCK = 2**17
"""Scores looked at together: 512 KiB of float64, which stays in the processor's cache."""
_BLOCK_ROWS = 4096
"""Images looked at together."""


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
    STRONGEST_OF_LAYER. What it gives for an image that failed means nothing.
    """
    images, units = values.shape
    scored = np.isfinite(measured.means) & np.isfinite(measured.std) & (measured.std > 0)
    means, std = np.where(scored, measured.means, 0), np.where(scored, measured.std, np.inf)
    chosen = np.zeros((images, min(STRONGEST_OF_LAYER, units)), np.int32)
    step = max(1, _BLOCK // units)
    with np.errstate(all="ignore"):  # of failed images, which may hold anything, and of infinities
        for first in range(0, images, step):
            block = values[first : first + step]
            _choose(_scores(block, means, std), chosen[first : first + step])
        found = np.zeros(chosen.shape, ENTRY)
        found["unit"] = chosen
        found["value"] = np.take_along_axis(values, chosen, axis=1)
        found["score"] = _scores(found["value"], means[chosen], std[chosen])
    return found


def _scores(values: np.ndarray, means: np.ndarray, std: np.ndarray) -> np.ndarray:
    """(images, n) float32. std: inf where there is no score."""
    distances = values.astype(np.float64)
    distances -= means
    distances /= std
    scores = distances.astype(np.float32)
    if not np.isfinite(std).all():  # where a value is infinite too
        scores[np.isnan(scores)] = 0
    return scores


def _choose(scores: np.ndarray, chosen: np.ndarray) -> None:
    """Fills `chosen`, (images, places), a place at a time; argmax gives the first unit where scores are equal.

    scores: (images, units), of which nothing is left.
    """
    flat, rows = scores.reshape(-1), np.arange(len(scores)) * scores.shape[1]
    for place in range(chosen.shape[1]):
        units = scores.argmax(axis=1)
        chosen[:, place] = units
        flat[rows + units] = -np.inf
