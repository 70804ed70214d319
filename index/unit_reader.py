"""Reads `units.parquet`: one unit's statistics and strongest patches, or the statistics of a layer's units."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import pyarrow as pa

from ..common.frame import Box
from .columns import Columns
from .schema import UNIT_STATISTICS, LayerRow


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
    """One row of units.parquet; the statistics are None where no image has a value."""

    layer: str
    unit: int
    images: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    active: float | None
    top: tuple[Patch, ...]


class UnitReader:
    """The units of all layers, in the layers' order."""

    def __init__(self, columns: Columns, layers: Sequence[LayerRow]) -> None:
        self._columns = columns
        self._layers = tuple(layers)
        self._firsts = [0, *accumulate(layer.units for layer in layers)]

    def row(self, number: int, unit: int) -> UnitRow:
        """The row of a unit of layer `number`."""
        group = self._columns.group_of(self._firsts[number] + unit)
        place = self._firsts[number] + unit - group.first
        columns = self._columns.read(group, [*UNIT_STATISTICS, "top"])
        values = {name: columns[name][place].as_py() for name in UNIT_STATISTICS}
        return UnitRow(**values, top=tuple(_patches(columns["top"], place, None)))

    def top(self, number: int, unit: int, k: int) -> list[Patch] | None:
        """The k strongest patches of a unit of layer `number`, or None where the table does not hold as many.

        It does hold as many where it holds those of all images.
        """
        group = self._columns.group_of(self._firsts[number] + unit)
        place = self._firsts[number] + unit - group.first
        columns = self._columns.read(group, ["top", "images"])
        patches = _patches(columns["top"], place, k)
        if len(patches) < k and len(patches) < columns["images"][place].as_py():
            return None
        return patches

    def statistics(self, number: int) -> pa.Table:
        """(units,) rows: all columns but `top` of the units of layer `number`."""
        first, stop = self._firsts[number], self._firsts[number + 1]
        tables: list[pa.Table] = []
        row = first
        while row < stop:
            group = self._columns.group_of(row)
            end = min(stop, group.first + group.rows)
            table = pa.table(self._columns.read(group, UNIT_STATISTICS))
            tables.append(table.slice(row - group.first, end - row))
            row = end
        return pa.concat_tables(tables).combine_chunks()


def patches_of(structs: pa.StructArray) -> list[Patch]:
    """Patches from rows of PATCH_TYPE."""
    columns = [column.to_pylist() for column in structs.flatten()]
    value, image_id, y, x, x0, y0, x1, y1, vx0, vy0, vx1, vy1 = columns
    boxes = zip(x0, y0, x1, y1, strict=True)
    views = zip(vx0, vy0, vx1, vy1, strict=True)
    return [Patch(*row) for row in zip(value, image_id, y, x, boxes, views, strict=True)]


def _patches(top: pa.ListArray, place: int, k: int | None) -> list[Patch]:
    """The first k patches of a row, all of them without k."""
    start, stop = top.offsets[place].as_py(), top.offsets[place + 1].as_py()
    if k is not None:
        stop = min(stop, start + k)
    return patches_of(top.values.slice(start, stop - start))
