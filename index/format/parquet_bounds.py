"""Bounds what reading a Parquet file may take: a file of a kilobyte can say that it holds gigabytes.

What fits into LIMIT bytes is read in any case, and what is larger only where the file is not RATIO times smaller, as no
file of a store is. Columns of fixed width are judged by the footer. A text may stand in the file once for all rows, so
text that could be large is read with its dictionary, and judged before it is written out.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..compute import pc

LIMIT = 1 << 28
"""Bytes in memory of one column."""
RATIO = 1000
_PIECE = 1 << 26
"""Bytes of the rows of a list that are read at a time, at most, but for one row."""
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_OTHER_WIDTH = 16
"""Bytes of a value of any other type, besides its own: an offset and what it points to."""

Reopen = Callable[[Sequence[str]], pq.ParquetFile]
"""Opens the file again, so that some columns of text are read with their dictionaries."""


def check_footer(metadata: pq.FileMetaData, size: int) -> None:
    """Raise ValueError where a column would take more memory than its file can hold. size: of the file, in bytes."""
    taken: dict[str, int] = {}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            values = max(int(column.num_values), int(group.num_rows))
            width = _WIDTHS.get(str(column.physical_type), _OTHER_WIDTH)
            path = str(column.path_in_schema)
            taken[path] = taken.get(path, 0) + max(width * values, int(column.total_uncompressed_size))
    for path, needed in taken.items():
        _refuse(path, needed, size)


def read_group(file: pq.ParquetFile, number: int, names: Sequence[str], size: int, again: Reopen) -> pa.Table:
    """Return columns of a row group. size: of the file. Raises ValueError as `check_footer`."""
    large = _large(file, number, names)
    if not large:
        return file.read_row_group(number, columns=list(names), use_threads=False)
    found = {name: _bounded(file, number, name, size, again) for name in large}
    others = [name for name in names if name not in large]
    if others:
        table = file.read_row_group(number, columns=others, use_threads=False)
        found |= {name: table[name] for name in table.column_names}
    return pa.table({name: found[name] for name in names if name in found})


def read_columns(file: pq.ParquetFile, names: Sequence[str], size: int, again: Reopen) -> pa.Table:
    """Return columns of all row groups. Raises as `read_group`."""
    groups = range(file.metadata.num_row_groups)
    if not any(_large(file, number, names) for number in groups):
        return file.read(columns=list(names), use_threads=False)
    return pa.concat_tables([read_group(file, number, names, size, again) for number in groups])


def read_small(data: bytes) -> pa.Table:
    """Return a whole file's table. Raises ValueError as `check_footer`."""

    def opened(dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
        return pq.ParquetFile(pa.BufferReader(data), read_dictionary=list(dictionaries))

    file = opened()
    check_footer(file.metadata, len(data))
    return read_columns(file, file.schema_arrow.names, len(data), opened)


def _large(file: pq.ParquetFile, number: int, names: Sequence[str]) -> list[str]:
    """Return the columns of text, or of lists of it, that may take more than LIMIT: if each value were all of the
    chunk.
    """
    group: Any = file.metadata.row_group(number)
    found: list[str] = []
    for place in range(group.num_columns):
        column = group.column(place)
        name = column.path_in_schema.partition(".")[0]
        text = column.physical_type == "BYTE_ARRAY" and name in names and name not in found
        if text and max(column.num_values, group.num_rows) * column.total_uncompressed_size > LIMIT:
            found.append(name)
    return found


def _bounded(file: pq.ParquetFile, number: int, name: str, size: int, again: Reopen) -> pa.ChunkedArray:
    kind = file.schema_arrow.field(name).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return pa.Table.from_batches(list(_pieces(file, number, name, size)))[name]
    column = again([name]).read_row_group(number, columns=[name], use_threads=False)[name]
    needed = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).fill_null(0)
        needed += int(pc.sum(lengths.take(chunk.indices.drop_null())).as_py() or 0)
    _refuse(name, needed, size)
    return column.cast(kind)


def _pieces(file: pq.ParquetFile, number: int, name: str, size: int) -> Iterator[pa.RecordBatch]:
    group: Any = file.metadata.row_group(number)
    columns = [group.column(place) for place in range(group.num_columns)]
    largest = max(
        one.total_uncompressed_size for one in columns if one.path_in_schema.partition(".")[0] == name
    )
    taken = 0
    rows = max(1, _PIECE // max(1, largest))
    for batch in file.iter_batches(rows, row_groups=[number], columns=[name], use_threads=False):
        taken += int(batch.nbytes)
        _refuse(name, taken, size)
        yield batch


def _refuse(name: str, needed: int, size: int) -> None:
    if needed > LIMIT and needed > RATIO * size:
        raise ValueError(
            f"its column {name} would take {needed:,} bytes of memory, from a file of {size:,}: no file of a store does"
        )
