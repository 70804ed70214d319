"""An image folder of any depth: its folders say the label and the split of an image (`folder_layout.py`).

Hidden files, and files that are known to hold no image, are passed over.
"""

import errno
import stat
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path

import pyarrow as pa

from ...common.errors import ImageError, StorageError, UsageError
from ..storage.errors import attempt
from ..storage.folder import Entry, MissingFileError, NoAccessError
from .base import (
    GONE,
    MAX_IMAGE_BYTES,
    NO_PERMISSION,
    RECORD_SCHEMA,
    ROWS,
    Dataset,
    from_uri,
    to_uri,
    too_large,
    unreadable,
)
from .folder_layout import FolderLayout, find_layout, first_folders
from .kinds import PARQUET, TAR, extension, is_no_image, mixed

_BUCKET_READS = 16
"""Requests to a bucket at a time."""

_FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class ImageFolder(Dataset):
    """Image files below one folder or bucket prefix."""

    kind = "folder"

    @property
    def metadata_schema(self) -> pa.Schema:
        return pa.schema([] if self._found[0].split is None else [("split", pa.string())])

    @property
    def passed_over(self) -> Counter[str]:
        return self._found[1].copy()

    def batches(self, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        entries, layout = self._entries(), self._found[0]
        schema = pa.schema([*RECORD_SCHEMA, *self.metadata_schema])
        while chunk := list(islice(entries, rows)):
            uris = [to_uri(entry.name) for entry in chunk]
            sizes = [entry.size for entry in chunk]
            columns = [
                uris,
                sizes,
                [entry.etag for entry in chunk],
                [_text(layout.label_of(entry.name)) for entry in chunk],
                uris,
                [0] * len(chunk),
                sizes,
            ]
            if layout.split is not None:
                columns.append([_text(layout.split_of(entry.name)) for entry in chunk])
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            yield pa.record_batch(arrays, schema=schema)

    def files(self) -> Iterator[tuple[str, int | None, str | None]]:
        return ((to_uri(entry.name), entry.size, entry.etag) for entry in self._entries())

    def read_encoded(self, batch: pa.RecordBatch | pa.Table) -> Iterator[bytes | ImageError]:
        names = [from_uri(uri) for uri in batch.column("file").to_pylist()]
        if self.folder.is_local:
            yield from map(self._read_local, names)
            return
        lengths = batch.column("length").to_pylist()
        with ThreadPoolExecutor(_BUCKET_READS) as pool:
            for start in range(0, len(names), _BUCKET_READS):  # bounds what is read ahead of the caller
                chunk = slice(start, start + _BUCKET_READS)
                yield from pool.map(self._read_object, names[chunk], lengths[chunk])

    def describe(self) -> str:
        return f"image folder {self.folder.url}; {self._found[0].describe()}"

    def _entries(self) -> Iterator[Entry]:
        for entry in self.folder.entries(hidden=False):
            if extension(entry.name) in PARQUET | TAR:
                raise mixed(self.folder, entry.name, "image files")
            if not is_no_image(entry.name):
                yield entry

    @cached_property
    def _found(self) -> tuple[FolderLayout, Counter[str]]:
        """The layout, and the files that are passed over, by their extension: by one pass over the folder."""
        folders: Counter[tuple[str, ...]] = Counter()
        others: Counter[str] = Counter()
        for entry in self.folder.entries(hidden=False):
            if is_no_image(entry.name):
                others[
                    f"{extension(entry.name) or entry.name.rpartition('/')[2]} files, which hold no images"
                ] += 1
            else:
                folders[first_folders(entry.name)] += 1
        return find_layout(folders), others

    def _read_local(self, name: str) -> bytes | ImageError:
        refused = _refusal(Path(self.folder.path(name)))
        found = refused or self._read(name)
        if isinstance(found, ImageError) and found.reason == GONE:
            self._check_root()
        return found

    def _check_root(self) -> None:
        """Raise StorageError where the whole folder went away: no image of it is to blame."""
        if not Path(self.folder.url).is_dir():
            raise StorageError(
                f"{self.folder.url} is not there any more: mount it or put it back, and run the command again"
            )

    def _read_object(self, name: str, length: int | None) -> bytes | ImageError:
        if length is not None and length > MAX_IMAGE_BYTES:
            return too_large(length)
        return self._read(name)

    def _read(self, name: str) -> bytes | ImageError:
        try:
            return self.folder.read(name)
        except MissingFileError:
            return unreadable(GONE)
        except NoAccessError:
            return unreadable(NO_PERMISSION)
        except UsageError as error:  # a bucket may hold keys such as a//b, which are not paths
            return unreadable(str(error))


def _text(folder: str | None) -> str | None:
    """Return the name of a folder; bytes that are not UTF-8 are percent-encoded."""
    return None if folder is None else to_uri(folder).removeprefix("./")


def _refusal(path: Path) -> ImageError | None:
    """Return why this file must not be opened: a pipe would hang, and a device may act on it."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return unreadable("a symbolic link that leads nowhere" if path.is_symlink() else GONE)
    except PermissionError:
        return unreadable(NO_PERMISSION)
    except OSError as error:
        if path.is_symlink() and error.errno == errno.ELOOP:
            return unreadable("symbolic links that lead in a circle")
        status = attempt(str(path), path.stat)
    if not stat.S_ISREG(status.st_mode):
        return unreadable(
            f"no regular file: {_FILE_TYPES.get(stat.S_IFMT(status.st_mode), 'something else')}"
        )
    return too_large(status.st_size) if status.st_size > MAX_IMAGE_BYTES else None
