"""Parquet files in the Hugging Face image layout: one file, or a folder of files with the same columns."""

from collections import Counter
from collections.abc import Iterator
from threading import local
from typing import Any

import pyarrow as pa

from ...common.errors import ImageError
from ..labels.columns import LABELS
from ..storage.folder import Entry, Folder, MissingFileError, NoAccessError
from .base import (
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
from .kinds import PARQUET, files_of, no_images
from .options import DEFAULT, DatasetOptions
from .parquet_choice import find_columns
from .parquet_columns import Columns
from .parquet_paths import PathImages
from .parquet_rows import RowReader, SharedGroups, guarded, has_values, leaf_of, open_parquet

_OF_A_PROCESS = frozenset({"_threads", "_shared", "_shared_paths"})


class ParquetDataset(Dataset):
    """Parquet rows with an image column, the label and further columns beside it."""

    kind = "parquet"

    def __init__(
        self, path: str, folder: Folder, single: Entry | None = None, options: DatasetOptions = DEFAULT
    ) -> None:
        """single: the only file, where the path named one.

        raises: DatasetError for a file without images, UsageError for columns in the options that it lacks.
        """
        super().__init__(path, folder, options)
        self._single = single
        self._no_labels: Counter[str] = Counter()
        first = next(self._entries(), None)
        if first is None:
            raise no_images(path, Counter())
        self._columns = self._columns_of(first)
        self._named = self._columns.path is not None and self._has_values(first, self._columns.path)
        self._reset()

    def _reset(self) -> None:
        self._threads, self._shared, self._shared_paths = local(), SharedGroups(), SharedGroups()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key not in _OF_A_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._reset()

    @property
    def metadata_schema(self) -> pa.Schema:
        fields = [(column.name, column.type) for column in self._columns.metadata]
        several = [(LABELS, pa.list_(pa.string()))] if self._columns.several else []
        names = [(self._columns.file_name, pa.string())] if self._named else []
        return pa.schema([*several, *fields, *names])

    @property
    def class_names(self) -> tuple[str, ...] | None:
        return self._columns.class_names

    @property
    def integer_labels(self) -> bool:
        return self._columns.integers

    @property
    def prefers_upright(self) -> bool:
        return True  # the library `datasets` turns an image when it decodes it

    @property
    def passed_over(self) -> Counter[str]:
        return self._no_labels.copy()

    def batches(self, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        self._no_labels = Counter()
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

    def read_encoded(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
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
        return find_columns(schema, where, self.options)

    def _has_values(self, entry: Entry, column: str) -> bool:
        metadata = guarded(self.folder, entry.name, lambda: open_parquet(self.folder, entry.name).metadata)
        return has_values(metadata, column)

    def _tables(self, name: str, columns: Columns) -> Iterator[pa.Table]:
        """Yield the label and metadata columns of each row group, and at least its rows."""
        wanted = [*columns.beside_image, *([columns.path] if self._named and columns.path else [])]
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
            pa.nulls(count, pa.string()) if found.several else found.labels(table, first, self._no_labels),
            pa.array([uri] * count, pa.string()),
            pa.array(rows, pa.int64()),
            pa.nulls(count, pa.int64()),
        ]
        if found.several:
            arrays.append(found.label_lists(table, first, self._no_labels))
        for column in self._columns.metadata:
            arrays.append(found.cast(table, column))
        if self._named:
            assert found.path is not None  # for the type checker: it agrees with the first file's
            arrays.append(leaf_of(table.column(found.path.partition(".")[0]), found.path).cast(pa.string()))
        schema = pa.schema([*RECORD_SCHEMA, *self.metadata_schema])
        plain = [each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in arrays]
        return pa.table(plain, schema=schema).combine_chunks().to_batches()[0]

    def _read_row(self, name: str, row: int) -> bytes | ImageError:
        try:
            data = self._value("image", self._columns.image, name, row)
            path = None if data is not None else self._value("path", self._columns.path, name, row)
        except MissingFileError:
            return unreadable(GONE)
        except NoAccessError:
            return unreadable(NO_PERMISSION)
        if data is None and path:
            return self._paths.read(name, path)
        if data is None:
            return unreadable("the row holds no image bytes (the image, or its bytes, are null)")
        return data if len(data) <= MAX_IMAGE_BYTES else too_large(len(data))

    def _value(self, what: str, column: str | None, name: str, row: int) -> Any:
        """Return the value of a column, by a reader for each thread; None where there is no such column."""
        if column is None:
            return None
        reader: RowReader | None = getattr(self._threads, what, None)
        if reader is None:
            shared = self._shared if what == "image" else self._shared_paths
            reader = RowReader(self.folder, column, shared)
            setattr(self._threads, what, reader)
        return reader.row(name, row)

    @property
    def _paths(self) -> PathImages:
        return PathImages(self.folder, self.options.image_root)


def _counting(rows: int) -> pa.Table:
    """Return a table with nothing but its number of rows."""
    return pa.table({"": pa.nulls(rows)})
