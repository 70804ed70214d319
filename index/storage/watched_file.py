"""`WatchedFile`: a file of a store that is read by position while it is served, and never mapped.

A mapped file that another process truncates ends this process (SIGBUS) at its next use; a read gives fewer bytes,
which is an error like any other. Each read also compares the file's size and time of change with those at the
opening, so that what was checked then, its SHA-256 for instance, still holds for what is read.
"""

import hashlib
import io
import os
import stat
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...common.errors import StoreDamagedError
from .damaged import damaged, reading
from .folder import Folder

_CHUNK = 4 << 20

Stamp = tuple[int, int]
"""Size in bytes, time of the last change in ns."""


class WatchedFile:
    """Any threads may share it. A bucket's file is copied to a temporary one first."""

    def __init__(self, folder: Folder, name: str, remedy: str = "") -> None:
        """remedy: what to do where the file is damaged. Raises StoreDamagedError."""
        self.path, self._remedy = folder.path(name), remedy
        with reading(self.path, remedy):
            self._descriptor = _open(folder, name)
        self._stamp = self._look()

    def __del__(self) -> None:
        descriptor, self._descriptor = getattr(self, "_descriptor", -1), -1
        if descriptor >= 0:
            os.close(descriptor)

    def close(self) -> None:
        """Close the file; reading it again is an error. Also happens when nothing refers to it any more."""
        self.__del__()

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        return self._stamp[0]

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`. Raises StoreDamagedError where they are not there, or not as before."""
        if offset < 0 or length < 0 or offset + length > self._stamp[0]:
            raise self.damaged(
                f"it has {self._stamp[0]:,} bytes, and is shorter than bytes {offset} to {offset + length}"
            )
        try:
            data = os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise self.damaged(error.strerror or str(error)) from error
        if len(data) != length:
            data = self._read_on(offset, data, length)
        status = os.fstat(self._descriptor)
        if (status.st_size, status.st_mtime_ns) != self._stamp:
            self.check_unchanged()
        return data

    def read_array(self, first: int, rows: int, width: int, dtype: DTypeLike) -> np.ndarray:
        """Return (rows, width) numbers from row `first` of a file that holds nothing but such rows."""
        array = np.empty((rows, width), dtype)
        self.read_into(array, first * width * array.itemsize)
        self.check_unchanged()
        return array

    def read_into(self, array: np.ndarray, offset: int) -> None:
        """Fill a contiguous array from the bytes at `offset`, and do not look whether the file has changed."""
        view = memoryview(array.data).cast("B") if array.size else memoryview(b"")
        filled = 0
        while filled < len(view):
            try:
                count = os.preadv(self._descriptor, [view[filled:]], offset + filled)
            except OSError as error:
                raise self.damaged(error.strerror or str(error)) from error
            if not count:
                raise self.damaged("it has become shorter while it was open")
            filled += count

    def read_rows(self, array: np.ndarray, rows: list[int]) -> None:
        """Fill the rows of a contiguous array (rows, width) from those of these numbers in a file of such rows.

        Does not look whether the file has changed. Raises StoreDamagedError.
        """
        if not array.size:
            return
        view, size, descriptor, preadv = (
            memoryview(array.data).cast("B"),
            array[0].nbytes,
            self._descriptor,
            os.preadv,
        )
        try:
            for number, row in enumerate(rows):
                first = number * size
                if preadv(descriptor, [view[first : first + size]], row * size) != size:
                    self.read_into(array[number], row * size)
        except OSError as error:
            raise self.damaged(error.strerror or str(error)) from error

    def whole(self, shape: tuple[int, ...], dtype: DTypeLike, sha256: str | None = None) -> np.ndarray:
        """Return all of the file as an array in memory. Raises StoreDamagedError for another SHA-256 or size."""
        array = np.empty(shape, dtype)
        if array.nbytes != self._stamp[0]:
            raise self.damaged(f"it has not its size: {self._stamp[0]:,} bytes, not {array.nbytes:,}")
        flat, digest = array.reshape(-1).view(np.uint8), hashlib.sha256()
        for start in range(0, len(flat), _CHUNK):
            piece = flat[start : start + _CHUNK]
            self.read_into(piece, start)
            digest.update(piece.data)
        self.check_unchanged()
        self._compare(digest.hexdigest(), sha256)
        return array

    def check(self, sha256: str | None, *, size: int | None = None) -> None:
        """Compare the file with a SHA-256, at about 2 GB/s. Raises StoreDamagedError."""
        if size is not None and size != self._stamp[0]:
            raise self.damaged(f"it has not its size: {self._stamp[0]:,} bytes, not {size:,}")
        digest, buffer = hashlib.sha256(), np.empty(min(_CHUNK, self._stamp[0]), np.uint8)
        for start in range(0, self._stamp[0], _CHUNK):
            piece = buffer[: min(_CHUNK, self._stamp[0] - start)]
            self.read_into(piece, start)
            digest.update(piece.data)
        self.check_unchanged()
        self._compare(digest.hexdigest(), sha256)

    @property
    def is_current(self) -> bool:
        """Whether the file was not written to since it was opened."""
        return self._look() == self._stamp

    def check_unchanged(self) -> None:
        """Raise StoreDamagedError where the file was written to since it was opened."""
        if self._look() != self._stamp:
            raise self.damaged("it was changed while it was open")

    def reader(self) -> io.BufferedReader:
        """Return the file as Python's own, from its beginning."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return open(os.dup(self._descriptor), "rb")  # noqa: PTH123 - a descriptor is not a path

    def damaged(self, why: str) -> StoreDamagedError:
        """Return the error that says so of this file."""
        return damaged(self.path, why, self._remedy)

    def _compare(self, found: str, sha256: str | None) -> None:
        if sha256 is not None and found != sha256:
            raise self.damaged("its SHA-256 is not the one that was noted when it was made")

    def _look(self) -> Stamp:
        status = os.fstat(self._descriptor)
        return status.st_size, status.st_mtime_ns

    def _read_on(self, offset: int, data: bytes, length: int) -> bytes:
        """Return the rest of them: the system gives at most 2 GiB at a time."""
        if len(data) < min(length, _CHUNK):
            raise self.damaged("it has become shorter while it was open")
        rest = np.empty(length - len(data), np.uint8)
        self.read_into(rest, offset + len(data))
        return data + rest.tobytes()


def record_of(manifest: dict[str, Any], name: str, said_by: str) -> tuple[int | None, str]:
    """Return the bytes (None where it does not say) and the SHA-256 that a manifest's `files` notes of a file.

    said_by: the manifest's own name. Raises StoreDamagedError where it notes nothing.
    """
    with reading(said_by):
        record: Any = manifest["files"][name]
        if isinstance(record, str):
            return None, record
        size = record.get("bytes", record.get("size"))
        return int(size), str(record["sha256"])


def _open(folder: Folder, name: str) -> int:
    """Return a descriptor of the file, or of a copy of a bucket's. Raises OSError."""
    local = folder.local_path(name)
    if local is None:
        with tempfile.TemporaryFile() as copy, folder.open(name) as source:
            while piece := source.read(_CHUNK):
                copy.write(piece)
            copy.flush()
            return os.dup(copy.fileno())
    # Without blocking: a named pipe must not hang.
    descriptor = os.open(local, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not a regular file")
    return descriptor
