"""Writes the store's files, hashed on their way out, and holds the Parquet settings of every table in one place.

The same rows give the same bytes: no times, no names of hosts, one thread's order. Every page has a CRC-32, so that a
flipped byte is found when it is read.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..storage.folder import Folder
from ..storage.hashed_file import HashedFile, PartRecord, hashed_file

IMAGE_ROWS = 65_536
"""Rows of a row group of a per-image table, at most."""
UNIT_ROWS = 32
"""Rows of a row group of units.parquet: a unit is read with its group."""
CLASS_MEANS = 2**17
"""Means of a row group of selectivity.parquet, at most: a unit's are read with its group's."""
STRONGEST_UNITS = 2**16
"""Units of a row group of `strongest/`, at most: an image's are read with its group's, in about a millisecond."""
_BUFFER = 2**20
"""Bytes that are gathered before Python is called: wide tables have many thousand small pages."""
_GROUP_VALUES = 2**22
_FEWEST_ROWS = 8192
"""A merge holds one row group of maxima: these many values, 16 MiB of float32, so that its memory does not grow with
the images; but never fewer rows than these, as a footer holds some 100 bytes for each column of each group."""


def maxima_rows(units: int) -> int:
    """Return rows of a row group of a layer's maxima: fewer for wide layers, as the merge holds one group."""
    rows = IMAGE_ROWS
    while rows > _FEWEST_ROWS and rows * units > _GROUP_VALUES:
        rows //= 2
    return rows


def feature_rows(width: int) -> int:
    """Return rows of a row group of the features: about 2 MiB, since one image's feature is read with its group."""
    return min(IMAGE_ROWS, max(64, 2**19 // width))


def selectivity_rows(labels: int) -> int:
    """Return rows of a row group of selectivity.parquet."""
    return min(256, max(16, CLASS_MEANS // max(1, labels)))


def strongest_rows(units: int) -> int:
    """Return rows of a row group of `strongest/`, for so many units an image: a power of 2."""
    rows = IMAGE_ROWS
    while rows > 32 and rows * units > STRONGEST_UNITS:
        rows //= 2
    return rows


def text_settings() -> dict[str, Any]:
    """Return those for tables of names and numbers: images, layers, errors."""
    return {"compression": "zstd", "use_dictionary": True, "write_statistics": True}


def units_settings() -> dict[str, Any]:
    """Return those for units.parquet, which is read a few rows at a time: quick to decode, no statistics of the
    lists.
    """
    return {
        "compression": "lz4",
        "use_dictionary": ["layer"],
        "write_statistics": ["layer", "unit", "max", "active"],
    }


def selectivity_settings() -> dict[str, Any]:
    """Return those for selectivity.parquet: the means are float noise."""
    return {
        "compression": "none",
        "use_dictionary": ["layer", "label"],
        "write_statistics": ["layer", "unit"],
    }


def strongest_settings() -> dict[str, Any]:
    """Return those for `strongest/`: plain, for speed, but for the layers, which follow each other alike in each
    row.
    """
    return {
        "compression": "none",
        "use_dictionary": ["units.list.element.layer"],
        "write_statistics": ["image_id"],
    }


def features_settings() -> dict[str, Any]:
    """Return those for features: float noise does not compress."""
    return {"compression": "none", "use_dictionary": False, "write_statistics": False}


def maxima_settings(schema: pa.Schema) -> dict[str, Any]:
    """Return those for maxima: values plain, as float noise does not compress; positions by byte planes, since most
    high bytes are 0 (measured: a fourth of the size of plain ones, in the same time). Statistics let `ORDER BY u17 DESC
    LIMIT 9` skip row groups.
    """
    positions = {name for name in schema.names if name.startswith("p")}
    return {
        "compression": {name: "lz4" if name in positions else "none" for name in schema.names},
        "use_dictionary": False,
        "column_encoding": {
            name: "BYTE_STREAM_SPLIT" if name in positions else "PLAIN" for name in schema.names
        },
        "write_statistics": [name for name in schema.names if name not in positions],
    }


class TableFile:
    """A Parquet file of the store on its way out: one row group for each `write`."""

    def __init__(self, file: HashedFile, writer: pq.ParquetWriter) -> None:
        self._file = file
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        """Append `table` as one row group."""
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._file.rows += table.num_rows

    @property
    def record(self) -> PartRecord:
        """Return the file's record for the manifest; whole after the `with`."""
        return self._file.record


@contextmanager
def table_file(
    folder: Folder, path: str, schema: pa.Schema, settings: dict[str, Any]
) -> Generator[TableFile]:
    """Return a Parquet file of the store, which appears whole at a clean exit."""
    with (
        hashed_file(folder, path) as file,
        pa.BufferedOutputStream(pa.PythonFile(file, mode="w"), _BUFFER) as sink,
        pq.ParquetWriter(sink, schema, version="2.6", write_page_checksum=True, **settings) as writer,
    ):
        yield TableFile(file, writer)


def record_of(folder: Folder, path: str) -> PartRecord:
    """Return what the manifest says about a Parquet file that is there already; reads it once."""
    with folder.open(path) as source:
        rows = pq.read_metadata(source).num_rows
    return PartRecord(path, rows, folder.size(path), folder.sha256(path))
