"""Open Parquet files of one store and single columns of them, each kept within its own number of bytes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..caching.cache import ByteCache
from ..storage.damaged import damaged, reading
from ..storage.folder import Folder
from .arrow_values import At, list_reader, reader
from .parquet_bounds import check_footer, read_columns, read_group

_ALL_GROUPS = -1
"""Stands for the number of a row group in the key of a column of all files of a table, which the first one names."""
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
        # read ahead by threads of pyarrow's own, which a near file would only wait for
        self.file = pq.ParquetFile(source, pre_buffer=local is None, page_checksum_verification=True)
        self.size = int(source.size())
        check_footer(self.file.metadata, self.size)
        self._source = source
        self.lock = Lock()

    def again(self, dictionaries: Sequence[str]) -> pq.ParquetFile:
        """Open it once more, with some columns of text read as dictionaries."""
        return pq.ParquetFile(
            self._source,
            metadata=self.file.metadata,
            read_dictionary=list(dictionaries),
            page_checksum_verification=True,
        )

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
        """Return how often what was wanted was in memory, and how often not."""
        return {"files": self._files.reads, "columns": self._columns.reads}

    def read(self, group: RowGroup, names: Sequence[str]) -> dict[str, pa.Array]:
        """Return columns of a row group by name, from the cache where they are there.

        Raises StoreDamagedError where the file is missing or cannot be read.
        """
        return {name: self.column(group, name).array for name in names}

    def column(self, group: RowGroup, name: str) -> HeldColumn:
        """Return one column of a row group. Raises as `read`."""
        key = (group.path, group.number, name)
        return self._columns.get(key, lambda: self._read_one(group, name), _bytes)

    def held_columns(self, wanted: Iterable[tuple[RowGroup, str]]) -> list[HeldColumn | None]:
        """Return some columns of row groups by name, each where it is in memory."""
        return self._columns.held_all([(group.path, group.number, name) for group, name in wanted])

    def _read_one(self, group: RowGroup, name: str) -> HeldColumn:
        return HeldColumn(self.read_new(group, [name])[name].combine_chunks())

    def read_new(self, group: RowGroup, names: Sequence[str]) -> pa.Table:
        """Return columns of a row group, read without the cache. Raises StoreDamagedError."""
        opened = self.open(group.path)
        with opened.lock:
            table = self._guarded(
                group.path,
                lambda: read_group(opened.file, group.number, names, opened.size, opened.again),
            )
        self._check(group.path, table, group.rows, names)
        return table

    def read_whole(self, paths: Sequence[str], name: str) -> pa.Array:
        """Return a column of all row groups of some files, from the cache where it is there: in a tenth of the time
        that the row groups take one by one. Raises StoreDamagedError.
        """
        key = (paths[0], _ALL_GROUPS, name)
        return self._columns.get(key, lambda: self._read_whole(paths, name), _bytes).array

    def hold_whole(self, paths: Sequence[str], names: Sequence[str]) -> None:
        """Read columns of all row groups of some files ahead, unless they would fill more than half of the cache."""
        columns: list[HeldColumn] = []
        for name in names:
            columns.append(self._read_whole(paths, name))
            if 2 * sum(column.bytes for column in columns) > self._columns.limit:
                return
        for name, column in zip(names, columns, strict=True):
            self._columns.keep((paths[0], _ALL_GROUPS, name), column, column.bytes)

    def held_whole(self, paths: Sequence[str], names: Sequence[str]) -> list[HeldColumn | None]:
        """Return some columns of all row groups by name, each where it is in memory."""
        return self._columns.held_all([(paths[0], _ALL_GROUPS, name) for name in names])

    def _read_whole(self, paths: Sequence[str], name: str) -> HeldColumn:
        parts: list[pa.Table] = []
        for path in paths:
            opened = self.open(path)
            with opened.lock:
                read = partial(read_columns, opened.file, [name], opened.size, opened.again)
                table = self._guarded(path, read)
                rows = opened.file.metadata.num_rows
            self._check(path, table, rows, [name])
            parts.append(table)
        with reading(self.folder.path(paths[0])):
            return HeldColumn(pa.concat_tables(parts)[name].combine_chunks())

    def open(self, path: str) -> _OpenFile:
        """Return the open file."""
        return self._files.get(
            path,
            lambda: self._guarded(path, lambda: _OpenFile(self.folder, path)),
            lambda opened: opened.bytes,
        )

    def schema(self, path: str) -> pa.Schema:
        """Return the file's columns. Raises StoreDamagedError."""
        opened = self.open(path)
        return self._guarded(path, lambda: opened.file.schema_arrow)

    def _check(self, path: str, table: pa.Table, rows: int, names: Sequence[str]) -> None:
        """Raise StoreDamagedError where a table has not the rows or the columns that it was asked for."""
        if table.num_rows == rows and all(name in table.column_names for name in names):
            return
        missing = [name for name in names if name not in table.column_names]
        why = f"it has no column {missing[0]!r}" if missing else f"{table.num_rows:,} rows, not {rows:,}"
        raise damaged(self.folder.path(path), why, self._remedy)

    @property
    def _remedy(self) -> str:
        return f"`unitscope verify {self.folder.url}` lists what is damaged"

    def _guarded(self, path: str, action: Any) -> Any:
        """Return what `action` gives, which reads a file; whatever damage makes it raise becomes StoreDamagedError."""
        with reading(self.folder.path(path), self._remedy):
            return self.folder.attempt(path, action)


def _bytes(column: HeldColumn) -> int:
    return column.bytes
