"""What every kind of dataset offers: `Dataset`, and the columns in which it lists its images."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa

from ...common.errors import ImageError
from ..files import Folder

RECORD_SCHEMA = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size", pa.int64()),
        pa.field("etag", pa.string()),
        pa.field("label", pa.string()),
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
    ]
)
"""The columns of `Dataset.batches`, before the dataset's own metadata columns."""

STORE_COLUMNS = frozenset(
    {
        *RECORD_SCHEMA.names,
        "image_id",
        "sha256",
        "width",
        "height",
        "label_index",
        "predicted",
        "probability",
        "loss",
        "status",
        "reason",
        "correct",
    }
)
"""Column names that metadata may not take, in any case: SQL engines do not tell `Label` from `label`."""

ROWS = 8192

Kind = Literal["folder", "parquet", "webdataset"]


class Dataset(ABC):
    """A dataset, opened for listing and for reading. Can be pickled, and read by several threads.

    image_id order: UTF-8 byte order of the files' relative paths; within a Parquet file the rows, within a tar the members.
    """

    kind: Kind

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    @abstractmethod
    def metadata_schema(self) -> pa.Schema:
        """The dataset's own columns, under the names that they have in the store."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of a Hugging Face ClassLabel, in its order."""
        return None

    @abstractmethod
    def batches(self, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        """All images in image_id order, at most `rows` a batch: RECORD_SCHEMA's columns, then `metadata_schema`'s.

        uri: the file's relative path; `path.parquet#row` or `path.tar#member` for images inside a file. A path that is no
        valid UTF-8 begins with `./` and is percent-encoded.
        size, etag: of the image file or tar member; size is null for Parquet rows, etag is null on local disks.
        file, offset, length: what `read` needs; the row of a Parquet file, or the byte range of a tar member.

        raises: DatasetError where the dataset cannot be listed.
        """

    @abstractmethod
    def files(self) -> Iterator[tuple[str, int | None, str | None]]:
        """(relative path, size in bytes, etag) of every file that images are read from, in order."""

    @abstractmethod
    def read(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
        """The encoded bytes of these rows of `batches` (the columns file, offset and length), or why there are none, in order.

        Contiguous rows are cheap. raises: StorageError where the disk or bucket fails, DatasetError where a Parquet file
        or tar is damaged or has changed since it was listed.
        """

    @abstractmethod
    def describe(self) -> str:
        """What was found, for the log: one line for each thing that a user should know."""


def to_uri(name: str) -> str:
    """The name as valid UTF-8 text; `from_uri` gives the name back."""
    if name.isascii() or _is_text(name):
        return name
    return "./" + quote(name.encode(errors="surrogateescape"), safe="/ ")


def from_uri(uri: str) -> str:
    """The name that `to_uri` was given. No name of a file in a folder begins with `./`."""
    if not uri.startswith("./"):
        return uri
    return unquote_to_bytes(uri[2:]).decode(errors="surrogateescape")


def metadata_names(columns: list[str]) -> list[str]:
    """Names for metadata columns: `meta_` before those that the store has itself, all of them distinct in any case."""
    taken: set[str] = set(STORE_COLUMNS) | {
        column.lower() for column in columns if column.lower() not in STORE_COLUMNS
    }
    names: list[str] = []
    for column in columns:
        name = column
        if name.lower() in STORE_COLUMNS:
            while name.lower() in taken:
                name = f"meta_{name}"
            taken.add(name.lower())
        names.append(name)
    return names


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
