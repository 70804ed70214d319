"""WebDataset tars: one file, or a folder of files; the images are read by their place in the tar.

What img2dataset writes is such a folder: the Parquet file beside each tar repeats its metadata, and is passed over.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ...common.errors import DatasetError, ImageError
from ..storage.folder import Entry, Folder, MissingFileError, NoAccessError
from .base import GONE, MAX_IMAGE_BYTES, NO_PERMISSION, ROWS, Dataset, from_uri, to_uri, too_large, unreadable
from .kinds import PARQUET, TAR, files_of
from .options import DEFAULT, DatasetOptions
from .tar_index import TarIndex

_SPAN_BYTES = 16 << 20
"""Neighbouring members are read together, up to this much."""

_SPAN_GAP = 64 << 10
"""Bytes between two members that are read rather than skipped."""


class TarDataset(Dataset):
    """Tar members grouped into samples by their name up to the first dot of its last component.

    Its index is made once, by one pass over the tars, when it is first asked for; reading needs no index.
    """

    kind = "webdataset"

    def __init__(
        self, path: str, folder: Folder, single: Entry | None = None, options: DatasetOptions = DEFAULT
    ) -> None:
        """single: the only file, where the path named one."""
        super().__init__(path, folder, options)
        self._single = single
        self._index = TarIndex(folder)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_index"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._index = TarIndex(self.folder)

    @property
    def metadata_schema(self) -> pa.Schema:
        return self._index.made(self._entries).metadata_schema

    @property
    def integer_labels(self) -> bool:
        return True  # WebDataset's own reader takes a .cls member for a class index

    @property
    def passed_over(self) -> Counter[str]:
        return self._index.made(self._entries).ignored

    def batches(self, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        return self._index.made(self._entries).batches(rows)

    def files(self) -> Iterator[tuple[str, int | None, str | None]]:
        return ((to_uri(entry.name), entry.size, entry.etag) for entry in self._entries())

    def read_encoded(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
        columns = [batch.column(name).to_pylist() for name in ("file", "offset", "length")]
        members = list(zip(*columns, strict=True))
        for span in _spans(members):
            yield from self._read_span(span)

    def describe(self) -> str:
        where = (
            self.folder.path(self._single.name) if self._single else f"WebDataset tars in {self.folder.url}"
        )
        return "\n".join([where, *self._index.made(self._entries).describe()])

    def _entries(self) -> Iterator[Entry]:
        if self._single is not None:
            return iter([self._single])
        return files_of(self.folder, TAR, "WebDataset tars", sidecars=PARQUET)

    def _read_span(self, span: list["Member"]) -> Iterator[bytes | ImageError]:
        file, start, length = span[0]
        if start is None or length is None:
            yield unreadable("a link or a sparse member of the tar, which holds no image bytes")
            return
        if length > MAX_IMAGE_BYTES:
            yield too_large(length)
            return
        name, stop = from_uri(file), max((offset or 0) + (size or 0) for _, offset, size in span)
        try:
            data = memoryview(self.folder.read_range(name, start, stop - start))
        except MissingFileError:
            yield from (unreadable(GONE) for _ in span)
            return
        except NoAccessError:
            yield from (unreadable(NO_PERMISSION) for _ in span)
            return
        if len(data) != stop - start:
            raise DatasetError(
                f"{self.folder.path(name)} ends before byte {stop}: it has changed since it was listed. "
                "Put the file back, or start again with a new store."
            )
        for _, offset, size in span:
            begin = (offset or 0) - start
            yield bytes(data[begin : begin + (size or 0)])


Member = tuple[str, int | None, int | None]
"""(file, offset, length)"""


def _spans(members: list[Member]) -> Iterator[list[Member]]:
    """Run of members that one read can fetch."""
    span: list[Member] = []
    for member in members:
        if span and not _joins(span, member):
            yield span
            span = []
        span.append(member)
    if span:
        yield span


def _joins(span: list[Member], member: Member) -> bool:
    (file, start, _), (_, last, length) = span[0], span[-1]
    if member[0] != file or None in (start, last, length, *member[1:]):
        return False
    assert start is not None and last is not None and length is not None  # for the type checker
    assert member[1] is not None and member[2] is not None
    if length > MAX_IMAGE_BYTES or member[2] > MAX_IMAGE_BYTES:
        return False
    gap = member[1] - (last + length)
    return 0 <= gap <= _SPAN_GAP and member[1] + member[2] - start <= _SPAN_BYTES
