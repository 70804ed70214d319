"""Files of a local folder: the raw operations behind `Folder`, without retries; they raise OSError."""

import errno
import logging
import os
import secrets
import shutil
import socket
import stat
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from .backend import Entry
from .errors import attempt

ASIDE_PREFIX = ".aside-"
"""An aside-file is `.aside-<machine>-<pid>-<random>`: hidden, and short enough for every file system."""

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})

_log = logging.getLogger(__name__)


class LocalFiles:
    """One local folder. root: the folder, this one or one around it, that no link may lead out of; None for any."""

    def __init__(self, path: str, root: str | None = None) -> None:
        self.url = str(Path(path).absolute())
        self._root = root
        self._within = "" if root is None else self.url.removeprefix(root).strip("/")

    def refused(self, name: str) -> str | None:
        """Return why a file under the root must not be touched: a link leads out of it, or it is not a file; None if it
        may be.

        Only links below the root are looked at, so that the root itself may be one.
        """
        if self._root is None:
            return None
        path, mode = self._root, 0
        for component in f"{self._within}/{name}".strip("/").split("/"):
            path = f"{path}/{component}"
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                return None  # nothing is there, and what is to be made there is inside
            if stat.S_ISLNK(mode):
                return self._led_out(name)
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return None
        return "is neither a file nor a folder"

    def _led_out(self, name: str) -> str | None:
        """Return where the links on the way to a file lead, if that is outside the root; None where they stay
        inside.
        """
        root, target = os.path.realpath(str(self._root)).rstrip("/"), os.path.realpath(self._path(name))
        if target == root or target.startswith(f"{root}/"):
            return None
        return f"is a link, or lies behind one, that leads out of the store's folder, to {target}"

    def _path(self, name: str) -> str:
        return f"{self.url}/{name}"

    def local_path(self, name: str) -> Path:
        return Path(self._path(name))

    def read(self, name: str, offset: int, length: int | None) -> bytes:
        # Opened without blocking: a named pipe must not hang, and a regular file is read the same either way.
        with FileIO(self._path(name), opener=_open_without_blocking) as file:
            if offset:
                file.seek(offset)
            if length is None:
                return file.read()
            return _read_exactly(file, length)

    def open(self, name: str) -> pa.NativeFile:
        return pa.OSFile(self._path(name), "rb")

    def entry(self, name: str) -> Entry:
        status = self.local_path(name).stat()
        if stat.S_ISDIR(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, "is a folder", self._path(name))
        return Entry(name, status.st_size if stat.S_ISREG(status.st_mode) else None)

    def entries(self, prefix: str, *, hidden: bool) -> Iterator[Entry]:
        start, wanted = os.fsencode(prefix.rpartition("/")[0]), os.fsencode(prefix)
        for name in _walk(os.fsencode(self.url), start, wanted, hidden, self._leads_out):
            yield Entry(os.fsdecode(name), _regular_size(os.fsencode(self.url) + b"/" + name))

    def _leads_out(self, name: bytes) -> bool:
        return self.refused(os.fsdecode(name)) is not None

    @contextmanager
    def aside(self, name: str) -> Generator[Path]:
        """Return a new path in the folder that `name` lies in; whatever is there at the end is removed."""
        folder = self.local_path(name).parent
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{ASIDE_PREFIX}{_machine()}-{os.getpid()}-{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            with suppress(OSError):
                path.unlink()

    def flush(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def commit(self, aside: Path, name: str, *, new: bool) -> bool:
        """Give the written file its name; False where `new` and the name is taken."""
        path = self.local_path(name)
        if new and not _link(aside, path):
            return False
        if not new:
            aside.replace(path)
        _sync_folder(path.parent)
        return True

    def remove(self, name: str) -> None:
        self.local_path(name).unlink(missing_ok=True)

    def remove_tree(self, name: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._path(name))

    def clean_temporary(self, *, living: bool) -> None:
        for folder, _, files in os.walk(self.url):
            for file in files:
                if file.startswith(ASIDE_PREFIX) and (living or not _writer_lives(file)):
                    (Path(folder) / file).unlink(missing_ok=True)


def _open_without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _read_exactly(file: FileIO, length: int) -> bytes:
    """Return `length` bytes; one unbuffered read may give fewer, and the system caps it at 2 GiB."""
    data = file.read(length)
    if len(data) == length or not data:
        return data
    pieces = [data]
    missing = length - len(data)
    while missing and (piece := file.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _link(aside: Path, path: Path) -> bool:
    """Give the file a second name unless that is taken; whether it did."""
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        # A network disk may have made the link and lost its answer: then our file has two names.
        return aside.stat().st_nlink > 1
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        return _copy_new(aside, path)
    return True


def _copy_new(aside: Path, path: Path) -> bool:
    """Copy, on file systems without hard links: creation is exclusive, though the content is not there at once."""
    try:
        with path.open("xb") as target, aside.open("rb") as source:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
    except FileExistsError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _writer_lives(file: str) -> bool:
    """Return whether the process that an aside-file names is one of this machine that still runs."""
    machine, _, rest = file.removeprefix(ASIDE_PREFIX).partition("-")
    pid = rest.partition("-")[0]
    if machine != _machine() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _regular_size(path: bytes) -> int | None:
    """Return the size of a regular file; None for anything else, a broken link and a circle of links among it."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a Path cannot hold bytes
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EACCES}:
            return None
        return attempt(os.fsdecode(path), lambda: os.stat(path).st_size)  # noqa: PTH116
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _walk(
    root: bytes, start: bytes, wanted: bytes, hidden: bool, leads_out: Callable[[bytes], bool]
) -> Iterator[bytes]:
    """Return relative names of the files under `start`, in byte order of the whole path.

    leads_out: whether a folder is a link to one outside; it is named, and not looked into.

    A folder sorts as its name with a slash: `a.b` comes before `a/b`, and `a/b` before `a0`.
    """
    first = root + b"/" + start if start else root
    if start and leads_out(start):
        return
    stack = [(start, frozenset[tuple[int, int]](), iter(_names(first, missing_ok=True)))]
    while stack:
        folder, ancestors, names = stack[-1]
        name = next(names, None)
        if name is None:
            stack.pop()
            continue
        relative = folder + b"/" + name if folder else name
        if name.startswith(ASIDE_PREFIX.encode()) or (name.startswith(b".") and not hidden):
            continue
        if not name.endswith(b"/"):
            if relative.startswith(wanted):
                yield relative
        elif leads_out(relative[:-1]):
            if relative.startswith(wanted):
                yield relative[:-1]
        elif _may_hold(relative, wanted):
            below, path = relative[:-1], root + b"/" + relative[:-1]
            identity = _identity(path)
            if not ancestors:
                ancestors = frozenset({_identity(first)})
            if identity in ancestors:
                _log.warning("%s leads back to a folder that it lies in; not followed", os.fsdecode(path))
                continue
            stack.append((below, ancestors | {identity}, iter(_names(path))))


def _may_hold(folder: bytes, wanted: bytes) -> bool:
    return folder.startswith(wanted) or wanted.startswith(folder)


def _identity(path: bytes) -> tuple[int, int]:
    status = attempt(os.fsdecode(path), lambda: os.stat(path))  # noqa: PTH116
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    """Return whether this is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno in {
            errno.ELOOP,
            errno.EACCES,
        }:  # a link that leads in a circle, or where we may not look
            return False
        raise


def _names(path: bytes, *, missing_ok: bool = False) -> list[bytes]:
    """Return the sorted names in a folder, those of folders (and of links to folders) with a slash at the end."""

    def scan() -> list[bytes]:
        try:
            with os.scandir(path) as entries:
                return sorted(entry.name + b"/" if _is_folder(entry) else entry.name for entry in entries)
        except FileNotFoundError:
            if missing_ok:
                return []
            raise

    return attempt(os.fsdecode(path), scan)
