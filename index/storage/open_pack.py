"""`OpenPack`: one pack, open with all its offsets in memory, for reading much of it; it survives the replacement of its
files, which are read by position and never mapped."""

from .damaged import reading
from .folder import Folder
from .packs import jpegs_path, open_offsets
from .watched_file import WatchedFile


class OpenPack:
    """Any threads may share it. A bucket's pack is copied to a temporary file, since a request for each JPEG of a pack
    would take hours. Raises StoreDamagedError.
    """

    def __init__(self, folder: Folder, table: str, number: int) -> None:
        path = jpegs_path(table, number)
        with reading(folder.path(path)):
            rows = open_offsets(folder, table, number)
            self._file = WatchedFile(folder, path)
            self._offsets = rows["offset"].fill_null(-1).to_numpy()
            self._lengths = rows["length"].fill_null(0).to_numpy()

    def get(self, row: int) -> bytes | None:
        """Return the JPEG, or None where the row has none. Raises StoreDamagedError."""
        if not 0 <= row < len(self._offsets):
            return None
        begin, length = int(self._offsets[row]), int(self._lengths[row])
        if begin < 0:
            return None
        return self._file.read(begin, length)

    def close(self) -> None:
        """Close the file; also happens when nothing refers to it any more."""
        self._file.close()
