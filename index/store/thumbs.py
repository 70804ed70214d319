"""`Thumbs`: the thumbnails of a whole store in any order, quickly: for who reads all of them, as the tiles do."""

from collections.abc import Sequence
from threading import Lock
from types import TracebackType

import numpy as np

from ..format.files import THUMBS
from ..storage.folder import Folder
from ..storage.open_pack import OpenPack


class Thumbs:
    """Any threads may share it. Packs of a local store are held open; those of a bucket are copied to a temporary file
    each when they are first asked for, since a request for each image would take hours. Use it in a `with`.

    parts: the rows of each part of the images.
    """

    def __init__(self, folder: Folder, parts: Sequence[int]) -> None:
        self._folder = folder
        self._firsts = np.cumsum([0, *parts])
        self._packs: dict[int, OpenPack] = {}
        self._lock = Lock()

    def __enter__(self) -> "Thumbs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pack in self._packs.values():
            pack.close()

    def get(self, image_id: int) -> bytes | None:
        """Return a small JPEG of the image; None where it failed. Raises StoreDamagedError."""
        part = int(np.searchsorted(self._firsts, image_id, side="right")) - 1
        with self._lock:
            if part not in self._packs:
                self._packs[part] = OpenPack(self._folder, THUMBS, part)
        return self._packs[part].get(image_id - int(self._firsts[part]))
