"""Files that are hashed on their way out: a store's manifest records their length and SHA-256."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from .folder import Folder


@dataclass(frozen=True)
class PartRecord:
    """One finished file. rows: of its table (images, for packs; 0 for what has no rows)."""

    path: str
    rows: int
    bytes: int
    sha256: str


class HashedFile:
    """A file that is written from front to end and knows its length and SHA-256. `rows` is for its record."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path = path
        self.rows = 0
        self._file = file
        self._bytes = 0
        self._sha256 = hashlib.sha256()

    closed = False

    def write(self, data: bytes) -> int:
        """Append; `data` may be any buffer."""
        size = memoryview(data).nbytes
        self._file.write(data)
        self._sha256.update(data)
        self._bytes += size
        return size

    def tell(self) -> int:
        """Return bytes written so far."""
        return self._bytes

    def flush(self) -> None:
        """Do nothing, for pyarrow; the folder's writer flushes at the end."""

    def close(self) -> None:
        """Do nothing, for pyarrow; the folder's writer closes the file."""

    @property
    def record(self) -> PartRecord:
        """Return the file's record for the manifest; whole once the writer is done."""
        return PartRecord(self.path, self.rows, self._bytes, self._sha256.hexdigest())


@contextmanager
def hashed_file(folder: Folder, path: str) -> Generator[HashedFile]:
    """Return a file of the store, which appears whole at a clean exit."""
    with folder.writer(path) as file:
        yield HashedFile(path, file)
