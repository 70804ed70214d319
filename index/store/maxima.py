"""Reads `maxima/`: a unit's values and positions for all images, and its strongest images among some, exactly."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ...common.errors import UsageError
from ..format.columns import Columns
from ..format.layer_row import LayerRow
from ..format.parquet_cache import RowGroup
from ..stats import topk
from ..stats.topk import TopK
from ..storage.damaged import damaged

_UNITS_AT_ONCE = 64
_WHOLE_ROWS = 8 << 20
"""Columns of at most this many rows (32 MiB of float32) are read in one piece, longer ones by row group."""


class MaximaReader:
    """The maxima of one layer."""

    def __init__(self, columns: Columns, layer: LayerRow) -> None:
        self._columns = columns
        self._layer = layer

    @property
    def groups(self) -> list[tuple[int, int]]:
        """(first row, rows) of each row group."""
        return [(group.first, group.rows) for group in self._columns.groups()]

    def values(self, unit: int) -> np.ndarray:
        """Return (images,) float32; NaN where an image failed."""
        values = np.full(self._columns.rows, np.nan, np.float32)
        for group, kept, valid in self._groups(unit):
            values[group.first : group.first + group.rows][valid] = kept[valid]
        return values

    def positions(self, unit: int) -> np.ndarray:
        """Return (images,) int32 flat y * width + x; -1 where an image failed."""
        positions = np.full(self._columns.rows, -1, np.int32)
        name = f"p{unit}" if self._layer.has_positions else f"u{unit}"
        for group, column in self._pieces(name):
            valid = _valid(column)
            flat = column.fill_null(0).to_numpy().astype(np.int32) if self._layer.has_positions else 0
            positions[group.first : group.first + group.rows] = np.where(valid, flat, -1)
        return positions

    def strongest(self, unit: int, k: int, mask: np.ndarray | None) -> TopK:
        """Return (1, at most k): the strongest images of a unit among those that `mask` ((images,) bool) keeps.

        The order is `topk`'s. One column is looked at, of a large store one row group of it at a time.
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

    def at(self, unit: int, image_ids: np.ndarray) -> TopK:
        """Return (1, n): the maximum of a unit in each of some images, in the order of `image_ids` (n,) int64.

        Raises UsageError where one of them failed.
        """
        values = self._columns.take(f"u{unit}", image_ids)
        if values.null_count:
            failed = image_ids[values.is_null().to_numpy().argmax()]
            raise UsageError(f"image {failed} failed: no unit has a maximum in it")
        flat = np.zeros(len(image_ids), np.int32)
        if self._layer.has_positions:
            flat = self._columns.take(f"p{unit}", image_ids).to_numpy().astype(np.int32)
        found = values.to_numpy().astype(np.float32)
        return TopK(found[None], image_ids.astype(np.int64)[None], flat[None])

    def in_image(
        self, units: Sequence[int], image_id: int, *, ranked: bool
    ) -> tuple[TopK, np.ndarray | None]:
        """Return (n, 1): the maximum of each of some units in one image; and its ranks, (n,) int64, if `ranked`: 1 +
        how many images have a larger one. Raises UsageError where the image failed.

        Read past the cache: of many images, each has other units.
        """
        ids, flat = np.full((len(units), 1), image_id, np.int64), np.zeros((len(units), 1), np.int32)
        ranks = np.ones(len(units), np.int64)
        if not units:
            return TopK(flat.astype(np.float32), ids, flat), ranks if ranked else None
        names, group = [f"u{unit}" for unit in units], self._columns.group_of(image_id)
        more = [f"p{unit}" for unit in units] if self._layer.has_positions else []
        own, row = self._columns.read_new(group, names + more), image_id - group.first
        found = [own[name][row].as_py() for name in names]
        if None in found:
            raise UsageError(f"image {image_id} failed: no unit has a maximum in it")
        if more:
            flat[:, 0] = [own[name][row].as_py() for name in more]
        values = np.array(found, np.float32)
        for other in self._columns.groups() if ranked else ():
            table = own if other == group else self._columns.read_new(other, names)
            ranks += [_larger(table[name], value) for name, value in zip(names, values, strict=True)]
        return TopK(values[:, None], ids, flat), ranks if ranked else None

    def of_all_units(self, image_ids: np.ndarray) -> np.ndarray:
        """Return (units, n) float32: the maxima of all units in some images, NaN where one failed. Read past the cache.

        image_ids: (n,) int64, ascending. Every row group that holds one of them is read whole.
        """
        found = np.empty((self._layer.units, len(image_ids)), np.float32)
        for group in self._columns.groups():
            start, stop = np.searchsorted(image_ids, [group.first, group.first + group.rows])
            rows = image_ids[start:stop] - group.first
            for first in range(0, self._layer.units if len(rows) else 0, _UNITS_AT_ONCE):
                units = range(first, min(first + _UNITS_AT_ONCE, self._layer.units))
                table = self._columns.read_new(group, [f"u{unit}" for unit in units])
                for unit in units:
                    column = table[f"u{unit}"].combine_chunks()
                    values = _floats(column)
                    if column.null_count:
                        values = np.where(_valid(column), values, np.float32(np.nan))
                    found[unit, start:stop] = values if len(rows) == group.rows else values[rows]
        return found

    def _groups(self, unit: int) -> Iterator[tuple[RowGroup, np.ndarray, np.ndarray]]:
        """Yield each row group with its values, (rows,) float32, and where they are there, (rows,) bool."""
        for group, column in self._pieces(f"u{unit}"):
            yield group, _floats(column), _valid(column)

    def _pieces(self, name: str) -> Iterator[tuple[RowGroup, pa.Array]]:
        """Yield a column by row group, or as if it were one."""
        if 0 < self._columns.rows <= _WHOLE_ROWS:
            yield RowGroup("", 0, 0, self._columns.rows), self._columns.whole(name)
            return
        for group in self._columns.groups():
            yield group, self._columns.read(group, [name])[name]


def _larger(column: pa.ChunkedArray, value: np.float32) -> int:
    """Return how many values are larger than this one."""
    count = 0
    for chunk in column.chunks:
        larger = _floats(chunk) > value
        count += int(np.count_nonzero(larger & _valid(chunk) if chunk.null_count else larger))
    return count


def _valid(column: pa.Array) -> np.ndarray:
    """Return (rows,) bool: where the column is not null."""
    if not column.null_count:
        return np.ones(len(column), bool)
    return column.is_valid().to_numpy(zero_copy_only=False)


def _floats(column: pa.Array) -> np.ndarray:
    """Return (rows,) float32; anything where the column is null. Raises StoreDamagedError for a column of no floats."""
    if not pa.types.is_floating(column.type):
        raise damaged("maxima/", f"it has a column of the type {column.type}")
    plain = pa.Array.from_buffers(column.type, len(column), [None, column.buffers()[1]], offset=column.offset)
    return plain.to_numpy(zero_copy_only=True).astype(np.float32, copy=False)
