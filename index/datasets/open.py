"""`open_dataset`: finds out what kind of dataset a path is."""

from collections import Counter
from itertools import islice
from pathlib import Path

from ...common.errors import UsageError
from ..storage.folder import Entry, Folder
from .base import Dataset
from .image_folder import ImageFolder
from .kinds import ALLOWED, IMAGES, PARQUET, TAR, extension, hint, is_no_image, no_images, stem
from .options import DEFAULT, DatasetOptions
from .parquet import ParquetDataset
from .webdataset import TarDataset

__all__ = ["Dataset", "open_dataset"]

_LOOK_AT = 20_000
"""Files that are looked at to find the kind; where none of them tells, all are taken for images."""
_PARQUET_FILES = 1000
"""Parquet files without a tar beside them that are looked at: img2dataset's N.parquet comes before its N.tar."""


def open_dataset(path: str, options: DatasetOptions = DEFAULT) -> Dataset:
    """Return the image folder, Parquet file or folder, or WebDataset tar(s) at a local path or bucket URL.

    A folder is of the kind of its first file that tells; a later file of another kind ends the listing with
    an error.

    raises: UsageError where nothing is there or a single file is of no kind; DatasetError where a folder is
    empty or holds no images.

    >>> from unitscope.index.datasets import open_dataset
    >>> dataset = open_dataset("photos")
    >>> batch = next(dataset.batches())
    >>> batch["uri"][0].as_py(), batch.num_rows
    ('00000.png', 64)
    >>> next(dataset.read(batch))[:4]
    b'\\x89PNG'
    """
    single = None if options.select else _single_file(path)
    if single is not None:
        return _open_file(path, *single, options)
    folder = _selected(path, options.select) if options.select else Folder(path)
    if folder.is_local and not Path(folder.url).is_dir():
        raise UsageError(f"{path} does not exist. {ALLOWED}")
    kind = _kind_of(path, folder)
    if kind is ParquetDataset or kind is TarDataset:
        return kind(path, folder, None, options)
    return ImageFolder(path, folder, options)


def _selected(path: str, patterns: tuple[str, ...]) -> Folder:
    """Return the files of a folder that match. Raises UsageError where none does."""
    from .selection import SelectedFolder  # its library is not needed for most datasets, nor for serving

    folder = SelectedFolder(path, patterns)
    if next(folder.entries(), None) is None:
        raise UsageError(f"no file in {path} matches {', '.join(patterns)}. {ALLOWED}")
    return folder


def _single_file(path: str) -> tuple[Folder, Entry] | None:
    """Return the folder and the entry of the file that the path names, or None where it names no file."""
    parent, _, name = path.rstrip("/").rpartition("/")
    if path.endswith("/") or parent.endswith(":/") or name in {"", ".", ".."}:
        return None
    folder = Folder(parent or ("/" if path.startswith("/") else "."))
    local = folder.local_path(name)
    if local is not None and not local.is_file():
        if local.exists() and not local.is_dir():
            raise UsageError(f"{path} is neither a file nor a folder. {ALLOWED}")
        return None
    if local is None and not folder.exists(name):
        return None
    return folder, folder.entry(name)


def _open_file(path: str, folder: Folder, entry: Entry, options: DatasetOptions) -> Dataset:
    found = extension(entry.name)
    if found in PARQUET:
        return ParquetDataset(path, folder, entry, options)
    if found in TAR:
        return TarDataset(path, folder, entry, options)
    if found in IMAGES:
        raise UsageError(f"{path} is a single image: give the folder that it lies in. {ALLOWED}")
    raise UsageError(f"{path} is a file of the kind {found or 'without extension'}. {hint([found])}")


def _kind_of(path: str, folder: Folder) -> type[ImageFolder] | type[ParquetDataset] | type[TarDataset]:
    found: Counter[str] = Counter()
    parquet: set[str] = set()
    others = True
    for entry in islice(folder.entries(hidden=False), _LOOK_AT):
        each = extension(entry.name)
        if each in PARQUET:
            parquet.add(stem(entry.name))
            if len(parquet) > _PARQUET_FILES:
                break
        elif each in TAR:
            if parquet and stem(entry.name) not in parquet:
                break  # the listing ends with an error that names the tar
            return TarDataset
        elif each in IMAGES:
            break
        elif not parquet:
            others &= is_no_image(entry.name)
            found[each] += 1
    else:
        if not parquet and others:
            raise no_images(path, found)
        return ParquetDataset if parquet else ImageFolder
    return ParquetDataset if parquet else ImageFolder
