"""Arrays that are mapped files, so that reading much of one is not memory held."""

import mmap
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .folder import Folder

_AROUND = 64 << 10
"""Bytes that the system maps around one that is read."""


def map_array(folder: Folder, name: str, dtype: DTypeLike, shape: tuple[int, int]) -> np.ndarray:
    """Return the file as a read-only array; from a bucket it is first copied to a temporary file."""
    if not all(shape):
        return np.empty(shape, dtype)
    if path := folder.local_path(name):
        return np.asarray(np.memmap(path, dtype, "r", shape=shape))
    with tempfile.TemporaryFile() as copy, folder.open(name) as file:
        while piece := file.read(8 << 20):
            copy.write(piece)
        copy.flush()
        return np.asarray(np.memmap(copy, dtype, "r", shape=shape))


class Pages:
    """How much of a mapped array has been read, so that at most about `limit` bytes of its pages stay resident.

    A page that is let go of is read again when it is needed, mostly from the system's cache. Threads may share it.
    """

    def __init__(self, array: np.ndarray, limit: int) -> None:
        self._array = array
        self._rows = limit // max(_AROUND, array[:1].nbytes) if array.nbytes > limit else None
        self._read = 0

    def read(self, rows: int) -> None:
        """Note that so many rows (along the first axis) have been read, wherever they lie."""
        if self._rows is None:
            return
        self._read += rows
        if self._read >= self._rows:
            self.let_go()

    def let_go(self) -> None:
        """Let go of all pages, where they are too many to stay."""
        if self._rows is not None:
            self._read = 0
            release(self._array)


def release(array: np.ndarray) -> None:
    """Give back the memory of a mapped array's pages, which are read again when needed; others stay as they are."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
