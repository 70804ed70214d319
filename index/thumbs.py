"""`Thumbs`: the thumbnails of a whole store in any order, quickly: for who reads all of them, as the tiles do."""

import tempfile
from collections.abc import Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from ..common.errors import StoreDamagedError
from .files import Folder, MissingFileError
from .packs import jpegs_path, open_offsets
from .schema import THUMBS

_CHUNK = 8 << 20


class Thumbs:
    """Any threads may share it. Packs of a local store are mapped; those of a bucket are copied to a temporary file
    each when they are first asked for, since a request for each image would take hours. Use it in a `with`.

    parts: the rows of each part of the images.
    """

    def __init__(self, folder: Folder, parts: Sequence[int]) -> None:
        self._folder = folder
        self._firsts = np.cumsum([0, *parts])
        self._packs: dict[int, _Pack] = {}
        self._lock = Lock()

    def __enter__(self) -> "Thumbs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pack in self._packs.values():
            pack.close()

    def get(self, image_id: int) -> bytes | None:
        """A small JPEG of the image; None where it failed. Raises StoreDamagedError."""
        part = int(np.searchsorted(self._firsts, image_id, side="right")) - 1
        with self._lock:
            if part not in self._packs:
                self._packs[part] = _Pack(self._folder, part)
        return self._packs[part].get(image_id - int(self._firsts[part]))


class _Pack:
    def __init__(self, folder: Folder, number: int) -> None:
        self._path = folder.path(jpegs_path(THUMBS, number))
        try:
            rows = open_offsets(folder, THUMBS, number)
            self._file = _local_file(folder, jpegs_path(THUMBS, number))
        except (MissingFileError, FileNotFoundError, pa.ArrowInvalid) as error:
            raise StoreDamagedError(
                f"{self._path} cannot be read ({error}); `unitscope verify` tells more"
            ) from error
        self._offsets = rows["offset"].fill_null(-1).to_numpy()
        self._lengths = rows["length"].fill_null(0).to_numpy()
        size = self._file.seek(0, 2)
        self._map = mmap(self._file.fileno(), 0, access=ACCESS_READ) if size else b""

    def get(self, row: int) -> bytes | None:
        begin, length = int(self._offsets[row]), int(self._lengths[row])
        if begin < 0:
            return None
        data = bytes(self._map[begin : begin + length])
        if len(data) != length:
            raise StoreDamagedError(
                f"{self._path} is shorter than its offsets say; `unitscope verify` tells more"
            )
        return data

    def close(self) -> None:
        if isinstance(self._map, mmap):
            self._map.close()
        self._file.close()


def _local_file(folder: Folder, path: str) -> BinaryIO:
    """The file itself, or a copy of a bucket's that is gone when it is closed."""
    local = folder.local_path(path)
    if local is not None:
        return Path(local).open("rb")
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with folder.open(path) as source:
        while chunk := source.read(_CHUNK):
            copy.write(chunk)
    copy.flush()
    return copy  # pyright: ignore[reportReturnType]
