"""Reads single columns of a table of many parts, a row group at a time, and keeps what was read in a bounded cache.

Rows are numbered through all parts: for per-image tables a row's number is its image_id.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import StoreDamagedError
from .cache import ByteCache
from .files import Folder, MissingFileError
from .plain import At, list_reader, reader

_FOOTER_FACTOR = 6
"""Bytes in memory of an open file, for each byte of its footer."""


@dataclass(frozen=True)
class RowGroup:
    """One row group: `rows` rows from `first`, group `number` of the file `path`."""

    path: str
    number: int
    first: int
    rows: int


class HeldColumn:
    """A column of a row group in memory."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array
        self.bytes = int(array.nbytes) + 200

    @cached_property
    def at(self) -> At:
        """From places to the values there, as Python's own."""
        return reader(self.array)

    @cached_property
    def first(self) -> Callable[[int, int | None], list[list[Any]]]:
        """Of a list of structs: see `plain.list_reader`."""
        return list_reader(self.array)


class _OpenFile:
    """An open Parquet file; one thread reads it at a time."""

    def __init__(self, folder: Folder, path: str) -> None:
        local = folder.local_path(path)
        source = pa.OSFile(str(local)) if local is not None else folder.open(path)
        self.file = pq.ParquetFile(source)
        self.lock = Lock()

    @property
    def bytes(self) -> int:
        return int(self.file.metadata.serialized_size) * _FOOTER_FACTOR


class FileCache:
    """Open files and columns of one store, each within its own number of bytes; any threads may share one."""

    def __init__(self, folder: Folder, *, footer_bytes: int, column_bytes: int) -> None:
        self.folder = folder
        self._files = ByteCache(footer_bytes)
        self._columns = ByteCache(column_bytes)

    def reads(self) -> dict[str, tuple[int, int]]:
        """How often what was wanted was in memory, and how often not."""
        return {"files": self._files.reads, "columns": self._columns.reads}

    def read(self, group: RowGroup, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of a row group by name, from the cache where they are there.

        Raises StoreDamagedError where the file is missing or cannot be read.
        """
        return {name: self.column(group, name).array for name in names}

    def column(self, group: RowGroup, name: str) -> HeldColumn:
        """One column of a row group. Raises as `read`."""
        key = (group.path, group.number, name)
        return self._columns.get(key, lambda: self._read_one(group, name), _bytes)

    def column_at_hand(self, group: RowGroup, name: str) -> HeldColumn | None:
        """The same where it is in memory."""
        held = self._columns.held((group.path, group.number, name))
        return None if held is None else held[0]

    def _read_one(self, group: RowGroup, name: str) -> HeldColumn:
        return HeldColumn(self.read_new(group, [name])[name].combine_chunks())

    def read_new(self, group: RowGroup, names: Sequence[str]) -> pa.Table:
        """Columns of a row group, read without the cache."""
        opened = self.open(group.path)
        with opened.lock:
            return self._guarded(
                group.path,
                lambda: opened.file.read_row_group(group.number, columns=list(names), use_threads=False),
            )

    def read_whole(self, paths: Sequence[str], name: str) -> pa.Array:
        """A column of all row groups of some files, from the cache where it is there: in a tenth of the time that the
        row groups take one by one. Raises StoreDamagedError."""
        key = (tuple(paths), name)
        return self._columns.get(key, lambda: self._read_whole(paths, name), _bytes).array

    def _read_whole(self, paths: Sequence[str], name: str) -> HeldColumn:
        parts: list[pa.Table] = []
        for path in paths:
            opened = self.open(path)
            with opened.lock:
                parts.append(
                    self._guarded(path, lambda: opened.file.read(columns=[name], use_threads=False))  # noqa: B023
                )
        return HeldColumn(pa.concat_tables(parts)[name].combine_chunks())

    def open(self, path: str) -> _OpenFile:
        """The open file."""
        return self._files.get(
            path,
            lambda: self._guarded(path, lambda: _OpenFile(self.folder, path)),
            lambda opened: opened.bytes,
        )

    def schema(self, path: str) -> pa.Schema:
        """The file's columns."""
        return self.open(path).file.schema_arrow

    def _guarded(self, path: str, action: Any) -> Any:
        try:
            return self.folder.attempt(path, action)
        except (MissingFileError, pa.ArrowInvalid, OSError) as error:
            raise StoreDamagedError(
                f"{self.folder.path(path)} cannot be read ({error}); "
                f"`unitscope verify {self.folder.url}` lists what is damaged"
            ) from error


class Columns:
    """One table. paths and rows: of its parts, in order."""

    def __init__(self, cache: FileCache, paths: Sequence[str], rows: Sequence[int]) -> None:
        self._cache = cache
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
        """All row groups, in order."""
        for part in range(len(self._paths)):
            yield from self._part_groups(part)

    def read(self, group: RowGroup, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of a row group, cached."""
        return self._cache.read(group, names)

    def read_new(self, group: RowGroup, names: Sequence[str]) -> pa.Table:
        """Columns of a row group, not cached: for passes over a whole table."""
        return self._cache.read_new(group, names)

    def whole(self, name: str) -> pa.Array:
        """A column of all rows, cached: for tables whose column fits into the cache a few times."""
        for part in range(len(self._paths)):
            self._part_groups(part)  # are there as many rows as there should be?
        return self._cache.read_whole(self._paths, name)

    def locate(self, row: int) -> tuple[int, int]:
        """(the number of the part, the row within it)."""
        part = bisect_right(self._ends, row) - 1
        return part, row - self._ends[part]

    def group_of(self, row: int) -> RowGroup:
        """The row group of a row."""
        groups = self._part_groups(self.locate(row)[0])
        return groups[bisect_right(groups, row, key=lambda group: group.first) - 1]

    def take(self, name: str, rows: np.ndarray) -> pa.ChunkedArray:
        """The values of a column at `rows` ((n,) int64, any order), in their order.

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
        """A column of a row group, cached."""
        return self._cache.column(group, name)

    def column_at_hand(self, group: RowGroup, name: str) -> HeldColumn | None:
        """The same, None where it would have to be read."""
        return self._cache.column_at_hand(group, name)

    def values_at(self, names: Sequence[str], rows: Sequence[int]) -> list[list[Any]]:
        """The values of some columns at some rows, any order, in their order, as Python's own.

        Reads the row groups that hold them. For few rows: no array is made on the way.
        """
        found = self._values(names, rows, self.column)
        assert found is not None
        return found

    def values_at_hand(self, names: Sequence[str], rows: Sequence[int]) -> list[list[Any]] | None:
        """The same, None where something would have to be read."""
        return self._values(names, rows, self.column_at_hand)

    def _values(
        self,
        names: Sequence[str],
        rows: Sequence[int],
        column_of: Callable[[RowGroup, str], HeldColumn | None],
    ) -> list[list[Any]] | None:
        placed = list(self._placed(rows))
        whole: list[list[Any]] = [[None] * len(rows) for _ in names]
        for group, places in placed:
            local = [rows[place] - group.first for place in places]
            for number, name in enumerate(names):
                column = column_of(group, name)
                if column is None:
                    return None
                values = column.at(local)
                if len(placed) == 1:
                    whole[number] = values
                else:
                    for place, value in zip(places, values, strict=True):
                        whole[number][place] = value
        return whole

    def _placed(self, rows: Sequence[int]) -> Iterator[tuple[RowGroup, list[int]]]:
        """The row groups that hold `rows`, each with the places in `rows` of those that it holds; all in order where
        one group holds them all."""
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
        """The row groups that hold `rows`, each with the places in `rows` of those that it holds.

        order: (n,) the places in ascending order of rows.
        """
        ascending = rows[order]
        position = 0
        while position < len(order):
            group = self.group_of(int(ascending[position]))
            stop = int(np.searchsorted(ascending, group.first + group.rows))
            yield group, order[position:stop]
            position = stop

    def _part_groups(self, part: int) -> tuple[RowGroup, ...]:
        """The row groups of a part."""
        if part not in self._groups:
            path, first = self._paths[part], self._ends[part]
            metadata = self._cache.open(path).file.metadata
            groups: list[RowGroup] = []
            for number in range(metadata.num_row_groups):
                rows = int(metadata.row_group(number).num_rows)
                groups.append(RowGroup(path, number, first, rows))
                first += rows
            if first != self._ends[part + 1]:
                raise StoreDamagedError(
                    f"{path} has {first - self._ends[part]} rows, not those of the manifest"
                )
            self._groups[part] = tuple(groups)
        return self._groups[part]


def _bytes(column: HeldColumn) -> int:
    return column.bytes
