"""`Folder`: one local folder or bucket prefix, where every write goes aside and is then renamed.

Names are relative POSIX paths (`shards/00001.arrow`). Every method raises `MissingFileError`, which is a
FileNotFoundError, where the name is missing, and `StorageError` where the disk or bucket fails even after
retries.
The raw operations are in `local.py` and `bucket.py`, the retries in `errors.py`.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa

from ...common.errors import StorageError, StoreDamagedError, UsageError
from .backend import Entry
from .bucket import BucketFiles
from .errors import MissingFileError, NoAccessError, attempt, storage_failures, translate
from .local import LocalFiles
from .stored_names import is_inside

__all__ = ["Entry", "Folder", "MissingFileError", "NoAccessError"]

T = TypeVar("T")

_CHUNK = 1 << 20


class Folder:
    """A local folder (a path or `file://` URL) or a bucket prefix (`s3://bucket/prefix`, any fsspec URL).

    It need not exist: the first write makes it. Can be pickled, and used by several threads.

    root: the folder that no symbolic link may lead out of, whatever is read or written; None where links may lead
    anywhere, as in a dataset. A store is always opened by `Folder.confined`. top: the URL of the folder that this one
    was reached from by `below`; by default its own.
    """

    def __init__(self, url: str, *, root: str | None = None, top: str | None = None) -> None:
        """Open a folder. Raises UsageError for a URL whose library is unknown or not installed."""
        if "\0" in url or not url:
            raise UsageError(f"{url!r} is not a folder: give a path, or a URL such as s3://bucket/prefix.")
        is_bucket = "://" in url and not url.startswith("file://")
        self._files = BucketFiles(url) if is_bucket else LocalFiles(url.removeprefix("file://"), root)
        self.url: str = self._files.url
        self.is_local: bool = not is_bucket
        self.top: str = self.url if top is None else top
        self._root = root

    @classmethod
    def confined(cls, url: str) -> "Folder":
        """Return a folder whose files all lie in it: StoreDamagedError where a symbolic link leads out of it."""
        if "\0" in url or not url or ("://" in url and not url.startswith("file://")):
            return cls(url)
        return cls(url, root=str(Path(url.removeprefix("file://")).absolute()))

    def below(self, name: str) -> "Folder":
        """Return the folder `name` in this one, confined as this one is."""
        return Folder(self.path(_checked(name)), root=self._root, top=self.top)

    def __reduce__(self) -> tuple[Callable[..., "Folder"], tuple[Any, ...]]:
        return _restored, (self.url, self._root, self.top)

    def __repr__(self) -> str:
        return f"Folder({self.url!r})"

    def path(self, name: str) -> str:
        """Return where `name` is, as messages and other libraries say it: a path or a URL."""
        return f"{self.url.rstrip('/')}/{name}" if name else self.url

    def attempt(self, name: str, action: Callable[[], T]) -> T:
        """Run `action`, in which another library reads `name`, with the retries and errors of this class."""
        return attempt(self.path(name), action)

    # Reading

    def read(self, name: str) -> bytes:
        """Return the whole file."""
        return self.attempt(name, lambda: self._files.read(self._name(name), 0, None))

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; fewer where the file ends before."""
        return self.attempt(name, lambda: self._files.read(self._name(name), offset, length))

    def open(self, name: str) -> pa.NativeFile:
        """Return the file, seekable and read-only, for pyarrow; it works as a Python file too."""
        return self.attempt(name, lambda: self._files.open(self._name(name)))

    def local_path(self, name: str) -> Path | None:
        """Return where the file is on the local disk (for a memory map), or None in a bucket."""
        return self._files.local_path(self._name(name))

    def exists(self, name: str) -> bool:
        """Return whether there is such a file (not a folder)."""
        try:
            self.size(name)
        except MissingFileError:
            return False
        return True

    def size(self, name: str) -> int:
        """Return the file's length in bytes."""
        size = self.entry(name).size
        return 0 if size is None else size

    def entry(self, name: str) -> Entry:
        """Return the file's size and etag."""
        return self.attempt(name, lambda: self._files.entry(self._name(name)))

    def sha256(self, name: str) -> str:
        """Return the hexadecimal SHA-256 of the file, read in pieces."""

        def digest() -> str:
            sha256 = hashlib.sha256()
            with self._files.open(self._name(name)) as file:
                while piece := file.read(_CHUNK):
                    sha256.update(piece)
            return sha256.hexdigest()

        return self.attempt(name, digest)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Return the names that begin with `prefix`, in UTF-8 byte order; nothing where there is no such folder."""
        return (entry.name for entry in self.entries(prefix))

    def entries(self, prefix: str = "", *, hidden: bool = True) -> Iterator[Entry]:
        """Do the same as `list`, with size and etag; `hidden=False` leaves out what has a name that begins with a dot.

        Never holds more than one folder's names (of S3: one page). A symbolic link to a folder is followed,
        unless it leads back to a folder that it lies in. Files still being written aside are left out.
        """
        if prefix:
            _checked(prefix.removesuffix("/"))
        return self._files.entries(prefix, hidden=hidden)

    # Writing

    @contextmanager
    def writer(self, name: str) -> Generator[BinaryIO]:
        """Return a local binary file whose content appears under `name` at a clean exit, by one atomic rename.

        On an exception nothing appears. A bucket gets the file at the exit.
        """
        self._name(name)
        with self._failing_as(name), self._files.aside(name) as aside:
            with aside.open("w+b") as file:
                yield file
                self._files.flush(file)
            self.attempt(name, lambda: self._files.commit(aside, name, new=False))

    def publish(self, name: str, data: bytes) -> None:
        """Put `data` under `name` in one atomic step, replacing what was there."""
        self.attempt(name, lambda: self._publish(self._name(name), data, new=False))

    def publish_new(self, name: str, data: bytes) -> bool:
        """Do the same as `publish`, but only where nothing has this name; False where something has."""
        return self.attempt(name, lambda: self._publish(self._name(name), data, new=True))

    def remove(self, name: str) -> None:
        """Remove the file; no error where it is missing."""
        self.attempt(name, lambda: self._files.remove(self._name(name)))

    def remove_tree(self, prefix: str) -> None:
        """Remove the folder `prefix` and all in it; no error where it is missing."""
        self.attempt(prefix, lambda: self._files.remove_tree(self._name(prefix.removesuffix("/"))))

    def clean_temporary(self, *, living: bool = False) -> None:
        """Remove what killed writers left half written; with `living`, also what live ones are writing now.

        Call it only while holding whatever lock keeps writers on other machines away. Without `living`, files of
        live processes of this machine stay.
        """
        self.attempt("", lambda: self._files.clean_temporary(living=living))

    def _publish(self, name: str, data: bytes, *, new: bool) -> bool:
        with self._files.aside(name) as aside:
            with aside.open("wb") as file:
                file.write(data)
                self._files.flush(file)
            return self._files.commit(aside, name, new=new)

    def _name(self, name: str) -> str:
        """Return the name itself. Raises UsageError as `_checked`, StoreDamagedError where a link leads out of the
        root.
        """
        why = self._files.refused(_checked(name))
        if why is not None:
            raise StoreDamagedError(
                f"store damaged: {self.path(name)} {why}: nothing outside a store is read or written. If you trust "
                "it, put the file itself there"
            )
        return name

    @contextmanager
    def _failing_as(self, name: str) -> Generator[None]:
        """Turn failures of the disk in the body into our own errors, and leaves all others as they are."""
        try:
            yield
        except (StorageError, MissingFileError):
            raise
        except storage_failures() as error:
            raise translate(self.path(name), error) from error


def _checked(name: str) -> str:
    """Return the name itself.

    raises: UsageError unless it is a relative POSIX path without `.`, `..` and empty components.
    """
    if not is_inside(name):
        raise UsageError(
            f"{name!r} is not a name of a file in the folder: give a relative path without '..', such as 'a/b'."
        )
    return name


def _restored(url: str, root: str | None, top: str) -> Folder:
    """Return a folder that was pickled."""
    return Folder(url, root=root, top=top)
