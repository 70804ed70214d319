"""Reads the images of Parquet rows: fast for contiguous rows, in bounded memory for huge row groups."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DatasetError
from ..compute import pc
from ..storage.folder import Folder

T = TypeVar("T")


WHOLE_GROUP_BYTES = 64 << 20
"""A row group whose images take no more than this is read at once and kept while its rows are asked for."""

STREAM_BYTES = 16 << 20
"""Of a larger row group about this much is held at a time, beside the page that it is cut from.

Its rows are cheap in rising order only.
"""

_STREAM_BUFFER = 4 << 20


@dataclass(frozen=True, eq=False)
class Rows:
    """The images of some contiguous rows of a file; `values` holds binary scalars, or text."""

    first: int
    values: pa.ChunkedArray

    def __contains__(self, row: int) -> bool:
        return self.first <= row < self.first + len(self.values)


@dataclass
class _Stream:
    """A row group that is read piece by piece. next_row: the first row of the file that is yet to come."""

    group: int
    next_row: int
    batches: Iterator[Rows]


class SharedGroups:
    """Row groups that some thread holds: two threads that read one group at a time decode it once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._gates: dict[tuple[str, int], Lock] = {}
        self._held: WeakValueDictionary[tuple[str, int], Rows] = WeakValueDictionary()

    def get(self, key: tuple[str, int], load: Callable[[], Rows]) -> Rows:
        """Return the row group (file, number), loaded unless a thread holds it."""
        with self._lock:
            gate = self._gates.setdefault(key, Lock())
        with gate:
            rows = self._held.get(key)
            if rows is None:
                rows = self._held[key] = load()
            return rows


class RowReader:
    """One thread's place in a dataset: the open file, and the rows held of it."""

    def __init__(self, folder: Folder, column: str, shared: SharedGroups) -> None:
        """column: the Parquet path of what is read of a row, such as `image.bytes`."""
        self._folder, self._column, self._shared = folder, column, shared
        self._forget()

    def row(self, name: str, row: int) -> Any:
        """Return the value of a row, None where it is null. raises: as `Folder.read`, and DatasetError."""
        if name != self._name or self._rows is None or row not in self._rows:
            self._rows = guarded(self._folder, name, lambda: self._load(name, row))
        return self._rows.values[row - self._rows.first].as_py()

    def _forget(self) -> None:
        self._name: str | None = None
        self._metadata: pq.FileMetaData | None = None
        self._starts: list[int] = []
        self._rows: Rows | None = None
        self._stream: _Stream | None = None

    def _load(self, name: str, row: int) -> Rows:
        held, self._rows = self._rows, None
        del held  # before more memory is taken
        kept = False
        try:
            rows = self._find(self._opened(name), name, row)
            kept = True
        finally:
            if not kept:
                self._forget()
        return rows

    def _opened(self, name: str) -> pq.FileMetaData:
        if name != self._name or self._metadata is None:
            self._forget()
            self._metadata = open_parquet(self._folder, name).metadata
            self._starts = _group_starts(self._metadata)
            self._name = name
        return self._metadata

    def _find(self, metadata: pq.FileMetaData, name: str, row: int) -> Rows:
        if row >= metadata.num_rows:
            raise DatasetError(
                f"{self._folder.path(name)} has {metadata.num_rows} rows, but row {row} is asked for: it has "
                "changed since it was listed. Put the file back, or start again with a new store."
            )
        group = bisect_right(self._starts, row) - 1
        first = self._starts[group]
        size = _image_bytes(metadata.row_group(group), self._column)
        if size <= WHOLE_GROUP_BYTES:
            self._stream = None
            return self._shared.get((name, group), lambda: self._whole(name, group, first))
        return self._streamed(name, group, row, rows=_stream_rows(metadata.row_group(group).num_rows, size))

    def _whole(self, name: str, group: int, first: int) -> Rows:
        table = open_parquet(self._folder, name, self._metadata).read_row_group(group, columns=[self._column])
        return Rows(first, leaf_of(table.column(0), self._column))

    def _streamed(self, name: str, group: int, row: int, *, rows: int) -> Rows:
        """Return the batch that holds the row: the stream goes on, or begins again for an earlier row."""
        stream = self._stream
        if stream is None or stream.group != group or stream.next_row > row:
            stream = self._stream = _Stream(group, self._starts[group], self._batches(name, group, rows))
        for found in stream.batches:
            stream.next_row = found.first + len(found.values)
            if row in found:
                return found
        raise DatasetError(
            f"{self._folder.path(name)}: row group {group} ends before row {row}: it is damaged."
        )

    def _batches(self, name: str, group: int, rows: int) -> Iterator[Rows]:
        file = open_parquet(self._folder, name, self._metadata, stream=True)
        first = self._starts[group]
        for batch in file.iter_batches(rows, row_groups=[group], columns=[self._column]):
            yield Rows(first, leaf_of(pa.Table.from_batches([batch]).column(0), self._column))
            first += batch.num_rows


def open_parquet(
    folder: Folder, name: str, metadata: pq.FileMetaData | None = None, *, stream: bool = False
) -> pq.ParquetFile:
    """Return the file. stream: column chunks are read piece by piece instead of whole."""
    return pq.ParquetFile(
        folder.open(name),
        metadata=metadata,
        pre_buffer=not stream,
        buffer_size=_STREAM_BUFFER if stream else 0,
    )


def guarded(folder: Folder, name: str, action: Callable[[], T]) -> T:
    """Run `action`, which reads a Parquet file. raises: as `Folder.read`; DatasetError for damage."""

    def run() -> T:
        try:
            return action()
        except pa.ArrowException as error:
            raise _damaged(folder, name, error) from error
        except OSError as error:
            if type(error) is OSError and error.errno is None:  # Arrow's word for damaged content
                raise _damaged(folder, name, error) from error
            raise

    return folder.attempt(name, run)


def _damaged(folder: Folder, name: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"{folder.path(name)} is not a Parquet file, or is damaged ({error}). Make or fetch the file again."
    )


def _group_starts(metadata: pq.FileMetaData) -> list[int]:
    """Return the first row of each row group; empty groups share theirs with the next."""
    starts, row = [], 0
    for group in range(metadata.num_row_groups):
        starts.append(row)
        row += metadata.row_group(group).num_rows
    return starts


def _image_bytes(group: pq.RowGroupMetaData, column: str) -> int:
    """Return uncompressed bytes of the image column."""
    chunks = (group.column(index) for index in range(group.num_columns))
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == column)


def _stream_rows(rows: int, size: int) -> int:
    return max(1, min(1024, STREAM_BYTES * rows // size))


def leaf_of(column: pa.ChunkedArray, path: str) -> pa.ChunkedArray:
    """Return the values at a Parquet path (`image.bytes`) of its column; a struct that is null has null values."""
    return pc.struct_field(column, path.rpartition(".")[2]) if pa.types.is_struct(column.type) else column


def has_values(metadata: pq.FileMetaData, column: str) -> bool:
    """Return whether a column of this Parquet path has a value that is not null, or may have one."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in (group.column(index) for index in range(group.num_columns)):
            if chunk.path_in_schema == column:
                statistics = chunk.statistics
                nulls = statistics.null_count if statistics and statistics.has_null_count else None
                if nulls != group.num_rows:
                    return True
    return False
