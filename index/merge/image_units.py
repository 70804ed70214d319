"""Writes one part of `strongest/`: the units of each layer that an image fires furthest above their mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa

from ..format.files import STRONGEST, part_path
from ..format.layer_row import LayerRow
from ..format.parquet_writer import strongest_rows, strongest_settings, table_file
from ..format.schema import STRONGEST_SCHEMA, STRONGEST_TYPE
from ..stats import moments as statistics
from ..stats.moments import Statistics
from ..storage.folder import Folder
from .maxima import part_notes
from .notes import Merged, Part, resume
from .shards import list_values, shard_blocks

STRONGEST_OF_LAYER = 8
"""Units that are kept of each layer of an image, at most."""

_BLOCK = 2**17
"""Scores looked at together: 512 KiB of float64, which stays in the processor's cache."""
_BLOCK_ROWS = 4096
"""Images looked at together."""


def write_strongest(folder: Folder, part: Part, parts: Sequence[Part], layers: Sequence[LayerRow]) -> Merged:
    """Write `strongest/part-N.parquet` of `part`. parts: all of them, for the statistics of the units.

    Holds `_BLOCK_ROWS` images. Needs every `write_maxima` done; raises StoreError where one is not.
    """
    return resume(folder, f"strongest-{part.number:05d}", lambda: _write(folder, part, parts, layers))


def _write(folder: Folder, part: Part, parts: Sequence[Part], layers: Sequence[LayerRow]) -> Merged:
    scales = [
        Scale.of(
            reduce(statistics.merge, (one.statistics for one in part_notes(folder, parts, layers, number)))
        )
        for number in range(len(layers))
    ]
    rows = strongest_rows(sum(scale.places for scale in scales))
    columns = [f"m{number}" for number in range(len(layers))]
    path = part_path(STRONGEST, part.number)
    with table_file(folder, path, STRONGEST_SCHEMA, strongest_settings()) as table:
        for pieces in shard_blocks(folder, part, columns, max(rows, _BLOCK_ROWS)):
            block = _table(pieces, scales)
            for first in range(0, block.num_rows, rows):
                table.write(block.slice(first, rows))
    return Merged(table.record)


@dataclass(frozen=True)
class Scale:
    """What the maxima of a layer are measured by. means, std: (units,) float64, 0 and inf where there is no score.

    A score is (value - mean) / std in float64, rounded to float32; 0 where the unit's std is 0 or no number.
    """

    means: np.ndarray
    std: np.ndarray

    @staticmethod
    def of(measured: Statistics) -> "Scale":
        """Make it from the units' statistics over the dataset."""
        std = measured.std
        scored = np.isfinite(measured.means) & np.isfinite(std) & (std > 0)
        return Scale(np.where(scored, measured.means, 0), np.where(scored, std, np.inf))

    @property
    def places(self) -> int:
        """Units that are kept of an image."""
        return min(STRONGEST_OF_LAYER, len(self.means))

    def scores(self, values: np.ndarray, units: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return (images, n) float32, of values: (images, n) float, of `units`."""
        with np.errstate(all="ignore"):  # failed images may hold anything, and infinities may be allowed in
            distances = values.astype(np.float64)
            distances -= self.means[units]
            distances /= self.std[units]
            scores = distances.astype(np.float32)
        none = ~np.isfinite(scores)
        if none.any():
            scores[none] = 0
        return scores

    def strongest(self, values: np.ndarray) -> np.ndarray:
        """Return (images, places) int32: the units with the largest scores of each image, by score descending, then
        unit.

        values: (images, units) float. argmax gives the first unit where scores are equal.
        """
        chosen = np.zeros((len(values), self.places), np.int32)
        step = max(1, _BLOCK // values.shape[1])
        for first in range(0, len(values), step):
            scores = self.scores(values[first : first + step])
            flat, rows = scores.reshape(-1), np.arange(len(scores)) * scores.shape[1]
            for place in range(self.places):
                units = scores.argmax(axis=1)
                chosen[first : first + step, place] = units
                flat[rows + units] = -np.inf
        return chosen


def _table(pieces: Sequence[pa.RecordBatch], scales: Sequence[Scale]) -> pa.Table:
    """Return rows of STRONGEST_SCHEMA."""
    layers = np.repeat(np.arange(len(scales), dtype=np.int32), [scale.places for scale in scales])
    ids = np.concatenate([piece["image_id"].to_numpy() for piece in pieces])
    valid = np.concatenate([piece["m0"].is_valid().to_numpy(zero_copy_only=False) for piece in pieces])
    shape = len(ids), len(layers)
    units, values, scores = (
        np.empty(shape, np.int32),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
    )
    row = 0
    for piece in pieces:
        rows, column = slice(row, row + len(piece)), 0
        for number, scale in enumerate(scales):
            maxima, place = list_values(piece[f"m{number}"]), slice(column, column + scale.places)
            units[rows, place] = chosen = scale.strongest(maxima)
            values[rows, place] = kept = np.take_along_axis(maxima, chosen, axis=1)
            scores[rows, place] = scale.scores(kept, chosen)
            column = place.stop
        row = rows.stop
    columns = [np.broadcast_to(layers, shape), units, values, scores]
    structs = pa.StructArray.from_arrays(
        [pa.array(column[valid].reshape(-1)) for column in columns], fields=list(STRONGEST_TYPE)
    )
    offsets = np.concatenate([[0], np.cumsum(valid)]).astype(np.int32) * np.int32(len(layers))
    lists = pa.ListArray.from_arrays(
        pa.array(offsets), structs, type=STRONGEST_SCHEMA.field("units").type, mask=pa.array(~valid)
    )
    return pa.table([pa.array(ids), lists], schema=STRONGEST_SCHEMA)
