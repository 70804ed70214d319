"""Parquet files in the Hugging Face image layout: one file, or a folder of files with the same columns."""

from collections import Counter
from collections.abc import Iterator
from threading import local
from typing import Any

import pyarrow as pa

from ...common.errors import ImageError
from ..files import Entry, Folder, MissingFileError, NoAccessError
from .kinds import PARQUET, files_of, no_images
from .parquet_columns import Columns, find_columns
from .parquet_rows import RowReader, SharedGroups, guarded, open_parquet
from .records import (
    GONE,
    MAX_IMAGE_BYTES,
    NO_PERMISSION,
    RECORD_SCHEMA,
    ROWS,
    Dataset,
    from_uri,
    to_uri,
    too_large,
    unreadable,
)


class ParquetDataset(Dataset):
    """Parquet rows with an image column, the label and further columns beside it."""

    kind = "parquet"

    def __init__(self, path: str, folder: Folder, single: Entry | None = None) -> None:
        """single: the only file, where the path named one. raises: DatasetError for a file without images."""
        super().__init__(path, folder)
        self._single = single
        first = next(self._entries(), None)
        if first is None:
            raise no_images(path, Counter())
        self._columns = self._columns_of(first)
        self._reset()

    def _reset(self) -> None:
        self._threads, self._shared = local(), SharedGroups()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in {"_threads", "_shared"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    @property
    def metadata_schema(self) -> pa.Schema:
        return pa.schema([(column.name, column.type) for column in self._columns.metadata])

    @property
    def class_names(self) -> tuple[str, ...] | None:
        return self._columns.class_names

    def batches(self, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        for entry in self._entries():
            found = self._columns_of(entry)
            if found.names != self._columns.names:
                raise self._columns.difference(found)
            first = 0
            for table in self._tables(entry.name, found):
                for start in range(0, table.num_rows, rows):
                    yield self._batch(entry, found, table.slice(start, rows), first + start)
                first += table.num_rows

    def files(self) -> Iterator[tuple[str, int | None, str | None]]:
        return ((to_uri(entry.name), entry.size, entry.etag) for entry in self._entries())

    def read(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
        files = batch.column("file").to_pylist()
        rows = batch.column("offset").to_pylist()
        for file, row in zip(files, rows, strict=True):
            yield self._read_row(from_uri(file), row)

    def describe(self) -> str:
        where = self.folder.path(self._single.name) if self._single else f"Parquet files in {self.folder.url}"
        return "\n".join([where, *self._columns.describe()])

    def _entries(self) -> Iterator[Entry]:
        if self._single is not None:
            return iter([self._single])
        return files_of(self.folder, PARQUET, "Parquet files")

    def _columns_of(self, entry: Entry) -> Columns:
        where = self.folder.path(entry.name)
        schema = guarded(self.folder, entry.name, lambda: open_parquet(self.folder, entry.name).schema_arrow)
        return find_columns(schema, where)

    def _tables(self, name: str, columns: Columns) -> Iterator[pa.Table]:
        """The label and metadata columns of each row group, and at least its rows."""
        wanted = columns.beside_image
        metadata = guarded(self.folder, name, lambda: open_parquet(self.folder, name).metadata)

        def read(group: int) -> pa.Table:
            return open_parquet(self.folder, name, metadata).read_row_group(group, columns=wanted)

        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            table = guarded(self.folder, name, lambda group=group: read(group)) if wanted else _counting(rows)
            yield table

    def _batch(self, entry: Entry, found: Columns, table: pa.Table, first: int) -> pa.RecordBatch:
        count, uri = table.num_rows, to_uri(entry.name)
        rows = range(first, first + count)
        arrays = [
            pa.array([f"{uri}#{row}" for row in rows], pa.string()),
            pa.nulls(count, pa.int64()),
            pa.array([entry.etag] * count, pa.string()),
            found.labels(table, first),
            pa.array([uri] * count, pa.string()),
            pa.array(rows, pa.int64()),
            pa.nulls(count, pa.int64()),
        ]
        for column in self._columns.metadata:
            arrays.append(found.cast(table, column))
        schema = pa.schema([*RECORD_SCHEMA, *self.metadata_schema])
        return pa.record_batch(arrays, schema=schema)

    def _read_row(self, name: str, row: int) -> bytes | ImageError:
        reader: RowReader | None = getattr(self._threads, "reader", None)
        if reader is None:
            reader = self._threads.reader = RowReader(self.folder, self._columns.image, self._shared)
        try:
            data = reader.row(name, row)
        except MissingFileError:
            return unreadable(GONE)
        except NoAccessError:
            return unreadable(NO_PERMISSION)
        if data is None:
            return unreadable("the row holds no image bytes (the image, or its bytes, are null)")
        return data if len(data) <= MAX_IMAGE_BYTES else too_large(len(data))


def _counting(rows: int) -> pa.Table:
    """A table with nothing but its number of rows."""
    return pa.table({"": pa.nulls(rows)})
