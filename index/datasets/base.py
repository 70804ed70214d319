"""What every kind of dataset offers: `Dataset`, and the columns in which it lists its images."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import ClassVar, Literal
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa

from ...common.errors import ImageError, ImageStatus
from ...common.frame import Exif
from ..format.schema import IMAGE_COLUMNS, PLAN_COLUMNS
from ..labels.columns import LIST_COLUMNS
from ..storage.folder import Folder
from .exif import marked
from .options import DEFAULT, DatasetOptions

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

RESERVED_COLUMNS = frozenset({*PLAN_COLUMNS, *IMAGE_COLUMNS, *LIST_COLUMNS, "reason"})
"""Names of the store's own columns, which metadata cannot have."""

ROWS = 8192
"""Rows of a batch."""

MAX_IMAGE_BYTES = 1 << 30
"""An encoded image that is larger is not read."""

Kind = Literal["folder", "parquet", "webdataset"]


class Dataset(ABC):
    """A dataset, opened for listing and for reading. Can be pickled, and used by several threads.

    image_id order: UTF-8 byte order of the files' relative paths, then Parquet rows or tar members in order.
    """

    kind: ClassVar[Kind]

    def __init__(self, path: str, folder: Folder, options: DatasetOptions = DEFAULT) -> None:
        """path: as it was given to `open_dataset`; folder: where the relative paths begin."""
        self.path = path
        self.folder = folder
        self.options = options

    @property
    def metadata_schema(self) -> pa.Schema:
        """The dataset's own columns, under the names that they have in the store."""
        return pa.schema([])

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of a Hugging Face ClassLabel, in its order."""
        return None

    @property
    def integer_labels(self) -> bool:
        """Whether labels that are whole numbers were numbers in the dataset, as class indices are."""
        return False

    @property
    def prefers_upright(self) -> bool:
        """Whether those who train with such a dataset see its images turned as their EXIF orientation says."""
        return False

    @property
    def exif(self) -> Exif:
        """Return whether images are turned as their EXIF orientation says: by the options, or as is usual."""
        return self.options.exif or ("apply" if self.prefers_upright else "ignore")

    @property
    def passed_over(self) -> Counter[str]:
        """How many files, samples or labels are not as they are in the dataset, by what is said of them."""
        return Counter()

    @abstractmethod
    def batches(self, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        """Return all images in image_id order, at most `rows` a batch: RECORD_SCHEMA's columns and the metadata.

        uri: the file's relative path; `path.parquet#row` or `path.tar#member` for images inside a file.
        A path that is not valid UTF-8 begins with `./` and is percent-encoded.
        size: bytes of the image file or tar member, null for Parquet rows. etag: null on local disks.
        file, offset, length: what `read` needs; the row of a Parquet file, or the byte range in a file.

        raises: DatasetError where the dataset cannot be listed.
        """

    @abstractmethod
    def files(self) -> Iterator[tuple[str, int | None, str | None]]:
        """Return (relative path, size in bytes, etag) of every file that images are read from, in order."""

    def read(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
        """Do the same as `read_encoded`; an `Upright` where EXIF orientation is applied."""
        for found in self.read_encoded(batch):
            yield found if isinstance(found, ImageError) else marked(found, self.exif)

    @abstractmethod
    def read_encoded(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
        """Return the encoded bytes of these rows of `batches`, in order, or why there are none.

        Needs the columns file, offset and length; contiguous rows are cheap.
        raises: StorageError where the disk or bucket fails; DatasetError where a Parquet file or tar is
        damaged, or has changed since it was listed.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return what was found, for the log: a line for each thing that a user should know. Makes the index of
        tars.
        """


def unreadable(reason: str) -> ImageError:
    """Return an image whose bytes cannot be had."""
    return ImageError(ImageStatus.UNREADABLE, reason)


GONE = "the file is not there any more"
NO_PERMISSION = "no permission to read the file"


def too_large(size: int) -> ImageError:
    """Return an image of more than MAX_IMAGE_BYTES."""
    return ImageError(ImageStatus.TOO_LARGE, f"{size:,} bytes; at most {MAX_IMAGE_BYTES:,} are read")


def to_uri(name: str) -> str:
    """Return the name as valid UTF-8 text; `from_uri` gives the name back."""
    return name if is_text(name) else "./" + quote(name.encode(errors="surrogateescape"), safe="/# ")


def from_uri(uri: str) -> str:
    """Return the name that `to_uri` was given; no name of a file in a folder begins with `./`."""
    if not uri.startswith("./"):
        return uri
    return unquote_to_bytes(uri[2:]).decode(errors="surrogateescape")


def is_text(name: str) -> bool:
    """Return whether the name is valid Unicode: one of a local file may hold bytes that are not."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def metadata_names(columns: Sequence[str], reserved: Set[str] = frozenset()) -> list[str]:
    """Name for metadata columns: `meta_` before those that the store has itself, whatever their case.

    SQL engines do not tell `Label` from `label`. reserved: further names that are taken.
    """
    reserved = RESERVED_COLUMNS | reserved
    taken = reserved | {column.lower() for column in columns}
    names: list[str] = []
    for column in columns:
        name = column
        if name.lower() in reserved:
            while name.lower() in taken:
                name = f"meta_{name}"
            taken |= {name.lower()}
        names.append(name)
    return names
