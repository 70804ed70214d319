"""Reads single columns of a table of many parts, a row group at a time, through the cache of a store's files.

Rows are numbered through all parts: for per-image tables a row's number is its image_id.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from ...common.errors import StoreDamagedError
from ..storage.damaged import damaged
from .parquet_cache import FileCache, HeldColumn, RowGroup


class Columns:
    """One table. paths and rows: of its parts, in order. Raises StoreDamagedError wherever it reads."""

    def __init__(
        self, cache: FileCache, paths: Sequence[str], rows: Sequence[int], expected: pa.Schema | None = None
    ) -> None:
        """Set up the columns. expected: columns whose types are checked where a file has them."""
        self._cache = cache
        self._expected = expected
        self._paths = tuple(paths)
        self._ends = list(accumulate(map(int, rows), initial=0))
        self._groups: dict[int, tuple[RowGroup, ...]] = {}

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return self._ends[-1]

    @property
    def schema(self) -> pa.Schema:
        """The columns, as the first part has them."""
        return self._cache.schema(self._paths[0])

    def groups(self) -> Iterator[RowGroup]:
        """Yield all row groups, in order."""
        for part in range(len(self._paths)):
            yield from self._part_groups(part)

    def read(self, group: RowGroup, names: Sequence[str]) -> dict[str, pa.Array]:
        """Return columns of a row group, cached."""
        return self._cache.read(group, names)

    def read_new(self, group: RowGroup, names: Sequence[str]) -> pa.Table:
        """Return columns of a row group, not cached: for passes over a whole table."""
        return self._cache.read_new(group, names)

    def whole(self, name: str) -> pa.Array:
        """Return a column of all rows, cached: for tables whose column fits into the cache a few times."""
        for part in range(len(self._paths)):
            self._part_groups(part)  # are there as many rows as there should be?
        return self._cache.read_whole(self._paths, name)

    def hold(self, names: Sequence[str]) -> None:
        """Read columns of all rows ahead, where they fit well into the cache: `values_at` is quicker then."""
        for part in range(len(self._paths)):
            self._part_groups(part)
        self._cache.hold_whole(self._paths, names)

    def locate(self, row: int) -> tuple[int, int]:
        """Return (the number of the part, the row within it)."""
        part = bisect_right(self._ends, row) - 1
        return part, row - self._ends[part]

    def group_of(self, row: int) -> RowGroup:
        """Return the row group of a row."""
        groups = self._part_groups(self.locate(row)[0])
        return groups[bisect_right(groups, row, key=lambda group: group.first) - 1]

    def take(self, name: str, rows: np.ndarray) -> pa.ChunkedArray:
        """Return the values of a column at `rows` ((n,) int64, any order), in their order.

        Reads the row groups that hold them.
        """
        order = np.argsort(rows, kind="stable")
        chunks = [
            self.read(group, [name])[name].take(pa.array(rows[places] - group.first))
            for group, places in self._held_by(rows, order)
        ]
        if not chunks:
            return pa.chunked_array([], self.schema.field(name).type)
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return pa.chunked_array(chunks).take(pa.array(back))

    def column(self, group: RowGroup, name: str) -> HeldColumn:
        """Return a column of a row group, cached."""
        return self._cache.column(group, name)

    def values_at(self, names: Sequence[str], rows: Sequence[int]) -> list[list[Any]]:
        """Return the values of some columns at some rows, any order, in their order, as Python's own.

        Reads the row groups that hold them. For few rows: no array is made on the way.
        """
        everywhere = self._cache.held_whole(self._paths, names)
        if None not in everywhere:
            return [column.at(rows) for column in everywhere if column is not None]
        placed = list(self._placed(rows))
        wanted = [(group, name) for group, _ in placed for name in names]
        held = self._cache.held_columns(wanted)
        columns = iter(
            self.column(*one) if column is None else column for one, column in zip(wanted, held, strict=True)
        )
        if len(placed) == 1:
            ((group, _),) = placed
            local = [row - group.first for row in rows]
            return [column.at(local) for column in columns]
        whole: list[list[Any]] = [[None] * len(rows) for _ in names]
        for group, places in placed:
            local = [rows[place] - group.first for place in places]
            for values, column in zip(whole, columns, strict=False):  # as many as there are names
                for place, value in zip(places, column.at(local), strict=True):
                    values[place] = value
        return whole

    def _placed(self, rows: Sequence[int]) -> Iterator[tuple[RowGroup, list[int]]]:
        """Yield the row groups that hold `rows`, each with the places in `rows` of those that it holds; all in order
        where one group holds them all.
        """
        if len(rows):
            group = self.group_of(min(rows))
            if max(rows) < group.first + group.rows:
                yield group, list(range(len(rows)))
                return
        order = sorted(range(len(rows)), key=rows.__getitem__)
        position = 0
        while position < len(order):
            start, group = position, self.group_of(rows[order[position]])
            while position < len(order) and rows[order[position]] < group.first + group.rows:
                position += 1
            yield group, order[start:position]

    def _held_by(self, rows: np.ndarray, order: np.ndarray) -> Iterator[tuple[RowGroup, np.ndarray]]:
        """Yield the row groups that hold `rows`, each with the places in `rows` of those that it holds.

        order: (n,) the places in ascending order of rows.
        """
        ascending = rows[order]
        position = 0
        while position < len(order):
            group = self.group_of(int(ascending[position]))
            stop = int(np.searchsorted(ascending, group.first + group.rows))
            yield group, order[position:stop]
            position = stop

    def _check_types(self, path: str) -> None:
        """Raise StoreDamagedError where a column is of another type than its readers take."""
        schema = self._cache.schema(path)
        for field in self._expected or ():
            if field.name in schema.names and not same_type(schema.field(field.name).type, field.type):
                raise damaged(path, f"its column {field.name} is of the type {schema.field(field.name).type}")

    def _part_groups(self, part: int) -> tuple[RowGroup, ...]:
        """Return the row groups of a part."""
        if part not in self._groups:
            path, first = self._paths[part], self._ends[part]
            metadata = self._cache.open(path).file.metadata
            self._check_types(path)
            groups: list[RowGroup] = []
            for number in range(metadata.num_row_groups):
                rows = int(metadata.row_group(number).num_rows)
                groups.append(RowGroup(path, number, first, rows))
                first += rows
            if first != self._ends[part + 1]:
                raise StoreDamagedError(
                    f"store damaged: {path} has {first - self._ends[part]} rows, not those of the manifest"
                )
            self._groups[part] = tuple(groups)
        return self._groups[part]


def same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    """Return whether two types hold the same values; names of lists' elements and nullability aside."""
    if pa.types.is_list(expected):
        return pa.types.is_list(found) and same_type(found.value_type, expected.value_type)
    if pa.types.is_struct(expected):
        if not pa.types.is_struct(found) or found.num_fields < expected.num_fields:
            return False
        fields = zip(expected, found, strict=False)
        return all(one.name == other.name and same_type(other.type, one.type) for one, other in fields)
    return found == expected
