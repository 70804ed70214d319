"""Reads `units.parquet`: one unit's statistics and strongest patches, or the statistics of a layer's units."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ...common.frame import Box
from ..format.columns import Columns
from ..format.files import UNITS
from ..format.layer_row import LayerRow
from ..format.parquet_cache import HeldColumn, RowGroup
from ..format.schema import UNIT_STATISTICS
from ..storage.damaged import damaged


class Patch(NamedTuple):
    """One strongest patch of a unit. box: the receptive field; view: what the unit does see; in original pixels."""

    value: float
    image_id: int
    y: int
    x: int
    box: Box
    view: Box


@dataclass(frozen=True)
class UnitRow:
    """One row of units.parquet; the statistics are None where no image has a finite value.

    nonfinite: images whose value is NaN or infinite; 0 in stores of releases that did not count them.
    """

    layer: str
    unit: int
    images: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    active: float | None
    nonfinite: int
    top: tuple[Patch, ...]


class UnitReader:
    """The units of all layers, in the layers' order."""

    def __init__(self, columns: Columns, layers: Sequence[LayerRow], images: int) -> None:
        """images: of the store; a patch of another is damage."""
        self._columns, self._images = columns, images
        self._layers = tuple(layers)
        self._firsts = [0, *accumulate(layer.units for layer in layers)]

    def row(self, number: int, unit: int) -> UnitRow:
        """Return the row of a unit of layer `number`."""
        group, place = self._place(number, unit)
        names = [name for name in UNIT_STATISTICS if name in self._columns.schema.names]
        values = {name: self._columns.column(group, name).at([place])[0] for name in names}
        values.setdefault("nonfinite", 0)
        return UnitRow(**values, top=tuple(self._patches(self._columns.column(group, "top"), place, None)))

    def top(self, number: int, unit: int, k: int) -> list[Patch] | None:
        """Return the k strongest patches of a unit of layer `number`, or None where the table does not hold as many.

        It does hold as many where it holds those of all images.
        """
        group, place = self._place(number, unit)
        return self._top(self._columns.column(group, "top"), self._columns.column(group, "images"), place, k)

    def top_among(self, number: int, unit: int, k: int, mask: np.ndarray) -> list[Patch] | None:
        """Return the k strongest patches in the images that `mask` ((images,) bool) keeps; None where the table does
        not tell.

        It tells where as many of the strongest of all are kept, or where it holds those of all images.
        """
        group, place = self._place(number, unit)
        patches = self._patches(self._columns.column(group, "top"), place, None)
        kept = [patch for patch in patches if mask[patch.image_id]]
        if len(kept) < k and len(patches) < self._columns.column(group, "images").at([place])[0]:
            return None
        return kept[:k]

    def _top(self, top: HeldColumn, images: HeldColumn, place: int, k: int) -> list[Patch] | None:
        patches = self._patches(top, place, k)
        if len(patches) < k and len(patches) < images.at([place])[0]:
            return None
        return patches

    def _patches(self, top: HeldColumn, place: int, k: int | None) -> list[Patch]:
        """Return the first k patches of a row, all of them without k. Raises StoreDamagedError for one of no image."""
        fields = top.first(place, k)
        ids = fields[1]
        if ids and not (None not in ids and min(ids) >= 0 and max(ids) < self._images):
            raise damaged(UNITS, f"it names the images {ids[:9]} of {self._images:,}")
        return _from_fields(fields)

    def _place(self, number: int, unit: int) -> tuple[RowGroup, int]:
        row = self._firsts[number] + unit
        group = self._columns.group_of(row)
        return group, row - group.first

    def statistics(self, number: int) -> pa.Table:
        """Return (units,) rows: all columns but `top` of the units of layer `number`."""
        first, stop = self._firsts[number], self._firsts[number + 1]
        tables: list[pa.Table] = []
        row = first
        while row < stop:
            group = self._columns.group_of(row)
            end = min(stop, group.first + group.rows)
            names = [name for name in UNIT_STATISTICS if name in self._columns.schema.names]
            table = pa.table(self._columns.read(group, names))
            if "nonfinite" not in names:  # an older release did not count them
                table = table.append_column("nonfinite", pa.array(np.zeros(len(table), np.int64)))
            tables.append(table.slice(row - group.first, end - row))
            row = end
        return pa.concat_tables(tables).combine_chunks()


def patches_of(structs: pa.StructArray) -> list[Patch]:
    """Return patches from rows of PATCH_TYPE."""
    return _from_fields([column.to_pylist() for column in structs.flatten()])


def _from_fields(fields: list[list[Any]]) -> list[Patch]:
    """Make patches. fields: of PATCH_TYPE, in its order."""
    value, image_id, y, x, x0, y0, x1, y1, vx0, vy0, vx1, vy1 = fields
    boxes = zip(x0, y0, x1, y1, strict=True)
    views = zip(vx0, vy0, vx1, vy1, strict=True)
    return list(map(Patch, value, image_id, y, x, boxes, views))
