"""Reads single columns of a table of many parts, a row group at a time, and keeps what was read in a bounded cache.

Rows are numbered through all parts: for per-image tables a row's number is its image_id.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import StoreDamagedError
from .cache import ByteCache
from .files import Folder, MissingFileError

_FOOTER_FACTOR = 6
"""Bytes in memory of an open file, for each byte of its footer."""
_FEW = 16
"""Rows of a row group that are looked up faster one by one."""


@dataclass(frozen=True)
class RowGroup:
    """One row group: `rows` rows from `first`, group `number` of the file `path`."""

    path: str
    number: int
    first: int
    rows: int


class _OpenFile:
    """An open Parquet file; one thread reads it at a time."""

    def __init__(self, folder: Folder, path: str) -> None:
        local = folder.local_path(path)
        source = pa.memory_map(str(local)) if local is not None else folder.open(path)
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
        return {name: self._column(group, name) for name in names}

    def _column(self, group: RowGroup, name: str) -> pa.Array:
        key = (group.path, group.number, name)
        return self._columns.get(key, lambda: self._read_one(group, name), _bytes)

    def _read_one(self, group: RowGroup, name: str) -> pa.Array:
        return self.read_new(group, [name])[name].combine_chunks()

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
        return self._columns.get((tuple(paths), name), lambda: self._read_whole(paths, name), _bytes)

    def _read_whole(self, paths: Sequence[str], name: str) -> pa.Array:
        parts: list[pa.Table] = []
        for path in paths:
            opened = self.open(path)
            with opened.lock:
                parts.append(
                    self._guarded(path, lambda: opened.file.read(columns=[name], use_threads=False))  # noqa: B023
                )
        return pa.concat_tables(parts)[name].combine_chunks()

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
        self._ends = np.cumsum([0, *rows], dtype=np.int64)
        self._groups: dict[int, tuple[RowGroup, ...]] = {}

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return int(self._ends[-1])

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
        part = int(np.searchsorted(self._ends, row, side="right")) - 1
        return part, row - int(self._ends[part])

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

    def values_at(self, names: Sequence[str], rows: np.ndarray) -> list[list[Any]]:
        """The values of some columns at `rows` ((n,) int64, any order), in their order, as Python's own.

        Reads the row groups that hold them. For few rows: no array is made on the way.
        """
        found: list[list[Any]] = [[None] * len(rows) for _ in names]
        for group, places in self._held_by(rows, np.argsort(rows, kind="stable")):
            columns, local = self.read(group, names), (rows[places] - group.first).tolist()
            for values, name in zip(found, names, strict=True):
                column = columns[name]
                if len(local) > _FEW:
                    some = column.take(pa.array(local, pa.int64())).to_pylist()
                else:
                    some = [column[row].as_py() for row in local]
                for place, value in zip(places.tolist(), some, strict=True):
                    values[place] = value
        return found

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
            path, first = self._paths[part], int(self._ends[part])
            metadata = self._cache.open(path).file.metadata
            groups: list[RowGroup] = []
            for number in range(metadata.num_row_groups):
                rows = int(metadata.row_group(number).num_rows)
                groups.append(RowGroup(path, number, first, rows))
                first += rows
            if first != self._ends[part + 1]:
                raise StoreDamagedError(
                    f"{path} has {first - int(self._ends[part])} rows, not those of the manifest"
                )
            self._groups[part] = tuple(groups)
        return self._groups[part]


def _bytes(array: pa.Array) -> int:
    return int(array.nbytes) + 200
