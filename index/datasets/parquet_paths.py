"""Reads the images that Parquet rows give by a path instead of their bytes.

A path begins in `--image-root`, or else in the folder of its Parquet file, and leads to no file outside that folder
and the dataset's own. What is elsewhere is not read, and URLs are not fetched.
"""

import posixpath
from pathlib import Path

import pyarrow as pa

from ...common.errors import ImageError
from ..storage.folder import Folder
from .base import unreadable
from .image_folder import ImageFolder

_ADVICE = (
    "Name the folder in which the paths begin (--image-root FOLDER), or embed the images in the file: "
    "Dataset.to_parquet of the library `datasets` does"
)


class PathImages:
    """The image files that the rows of one dataset name."""

    def __init__(self, folder: Folder, root: str | None) -> None:
        """folder: the dataset's. root: the folder that was given for the paths."""
        self._folder = folder
        self._given = root
        self._opened: dict[str, ImageFolder] = {}

    def read(self, file: str, path: str) -> bytes | ImageError:
        """Return the bytes of the image that a row of the Parquet file `file` names. Raises StorageError."""
        if "://" in path:
            return unreadable(
                f"the row gives the address {path!r} alone, and addresses are not fetched. {_ADVICE}"
            )
        own = posixpath.dirname(file)
        begin = self._given or (self._folder.path(own) if own else self._folder.url)
        for root in dict.fromkeys((begin, self._folder.url)):
            name = _below(root, path, begin)
            if name is not None:
                return self._read(root, name, path)
        return unreadable(f"the row gives the path {path!r} alone, which is not in {begin}. {_ADVICE}")

    def _read(self, root: str, name: str, path: str) -> bytes | ImageError:
        opened = self._opened.setdefault(root, ImageFolder(root, Folder(root)))
        columns = {"file": pa.array([name], pa.string()), "length": pa.array([None], pa.int64())}
        (found,) = opened.read(pa.table(columns))
        if isinstance(found, ImageError):
            return unreadable(
                f"the row gives the path {path!r} alone, and in {root}: {found.reason}. {_ADVICE}"
            )
        return found


def _below(root: str, path: str, begin: str) -> str | None:
    """Return the path, which begins in `begin`, as one relative to `root`; None where it leads elsewhere."""
    if "://" in root:
        whole = posixpath.normpath(posixpath.join(begin.split("://")[1], path))
        top = posixpath.normpath(root.split("://")[1])
        return whole.removeprefix(f"{top}/") if whole.startswith(f"{top}/") else None
    try:
        whole, top = Path(begin, path).resolve(), Path(root).resolve()
    except (OSError, RuntimeError, ValueError):
        return None
    if not whole.is_relative_to(top) or whole == top:
        return None
    return str(whole.relative_to(top))
