"""`MappedPack`: one pack, mapped into memory: for who reads much of it, or must go on when its files are replaced."""

import tempfile
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ..common.errors import StoreDamagedError
from .files import Folder, MissingFileError
from .packs import jpegs_path, open_offsets

_CHUNK = 8 << 20


class MappedPack:
    """Any threads may share it. A bucket's pack is copied to a temporary file, since a request for each JPEG of a pack
    would take hours. Raises StoreDamagedError.
    """

    def __init__(self, folder: Folder, table: str, number: int) -> None:
        path = jpegs_path(table, number)
        self._path = folder.path(path)
        try:
            rows = open_offsets(folder, table, number)
            with _local_file(folder, path) as file:
                size = file.seek(0, 2)
                self._map = mmap(file.fileno(), 0, access=ACCESS_READ) if size else b""
        except (MissingFileError, FileNotFoundError, pa.ArrowInvalid) as error:
            raise StoreDamagedError(
                f"{self._path} cannot be read ({error}); `unitscope verify` tells more"
            ) from error
        self._offsets = rows["offset"].fill_null(-1).to_numpy()
        self._lengths = rows["length"].fill_null(0).to_numpy()

    def get(self, row: int) -> bytes | None:
        """The JPEG, or None where the row has none."""
        if not 0 <= row < len(self._offsets):
            return None
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
        """Gives the memory back; also happens when nothing refers to it any more."""
        if isinstance(self._map, mmap):
            self._map.close()


def _local_file(folder: Folder, path: str) -> BinaryIO:
    """The file itself, or a copy of a bucket's that is gone when it is closed and not mapped."""
    local = folder.local_path(path)
    if local is not None:
        return Path(local).open("rb")
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with folder.open(path) as source:
        while chunk := source.read(_CHUNK):
            copy.write(chunk)
    copy.flush()
    return copy  # pyright: ignore[reportReturnType]
