"""Reads `maxima/`: a unit's values and positions for all images, and its strongest images among some, exactly."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from . import topk
from .columns import Columns, RowGroup
from .schema import LayerRow
from .topk import TopK


class MaximaReader:
    """The maxima of one layer."""

    def __init__(self, columns: Columns, layer: LayerRow) -> None:
        self._columns = columns
        self._layer = layer

    def values(self, unit: int) -> np.ndarray:
        """(images,) float32; NaN where an image failed."""
        values = np.full(self._columns.rows, np.nan, np.float32)
        for group, kept, valid in self._groups(unit):
            values[group.first : group.first + group.rows][valid] = kept[valid]
        return values

    def positions(self, unit: int) -> np.ndarray:
        """(images,) int32 flat y * width + x; -1 where an image failed."""
        positions = np.full(self._columns.rows, -1, np.int32)
        name = f"p{unit}" if self._layer.has_positions else f"u{unit}"
        for group in self._columns.groups():
            column = self._columns.read(group, [name])[name]
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            flat = column.fill_null(0).to_numpy().astype(np.int32) if self._layer.has_positions else 0
            positions[group.first : group.first + group.rows] = np.where(valid, flat, -1)
        return positions

    def strongest(self, unit: int, k: int, mask: np.ndarray | None) -> TopK:
        """(1, at most k): the strongest images of a unit among those that `mask` ((images,) bool) keeps.

        The order is `topk`'s. One row group of one column is looked at at a time.
        """
        best = TopK.empty(1)
        for group, values, valid in self._groups(unit):
            rows = slice(group.first, group.first + group.rows)
            kept = np.flatnonzero(valid if mask is None else valid & mask[rows])
            if len(kept):
                ids = kept + group.first
                best = topk.merge(best, TopK.of_units(values[None, kept], ids, None, k), k)
        if not self._layer.has_positions or not best.image_ids.size:
            return best
        flat = self._columns.take(f"p{unit}", best.image_ids[0]).to_numpy().astype(np.int32)
        return TopK(best.values, best.image_ids, flat[None])

    def _groups(self, unit: int) -> Iterator[tuple[RowGroup, np.ndarray, np.ndarray]]:
        """Each row group with its values, (rows,) float32, and where they are there, (rows,) bool."""
        for group in self._columns.groups():
            column = self._columns.read(group, [f"u{unit}"])[f"u{unit}"]
            valid = np.ones(len(column), bool)
            if column.null_count:
                valid = column.is_valid().to_numpy(zero_copy_only=False)
            yield group, _floats(column), valid


def _floats(column: pa.Array) -> np.ndarray:
    """(rows,) float32; anything where the column is null."""
    plain = pa.Array.from_buffers(column.type, len(column), [None, column.buffers()[1]], offset=column.offset)
    return plain.to_numpy(zero_copy_only=True).astype(np.float32, copy=False)
