"""Arrays that are mapped files, so that reading much of one is not memory held."""

import mmap
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .files import Folder


def map_array(folder: Folder, name: str, dtype: DTypeLike, shape: tuple[int, int]) -> np.ndarray:
    """The file as a read-only array; from a bucket it is first copied to a temporary file."""
    if not all(shape):
        return np.empty(shape, dtype)
    if path := folder.local_path(name):
        return np.asarray(np.memmap(path, dtype, "r", shape=shape))
    with tempfile.TemporaryFile() as copy, folder.open(name) as file:
        while piece := file.read(8 << 20):
            copy.write(piece)
        copy.flush()
        return np.asarray(np.memmap(copy, dtype, "r", shape=shape))


def release(array: np.ndarray) -> None:
    """Gives back the memory of a mapped array's pages, which are read again when needed; others stay as they are."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
