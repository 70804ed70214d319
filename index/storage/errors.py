"""Failures of a disk or bucket: the transient ones are tried again, each ends in one of our own errors.

StorageError
└── NoAccessError (also PermissionError)     the permissions forbid it
UnitscopeError
└── MissingFileError (also FileNotFoundError) nothing has this name
"""

import errno
import importlib
import logging
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from ...common.errors import StorageError, UnitscopeError

T = TypeVar("T")

RETRY_SECONDS = (0.1, 0.5, 2.0)
"""How long to wait before each further try."""

MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
DENIED = frozenset({errno.EACCES, errno.EPERM})
TRANSIENT = frozenset(
    {
        errno.EIO,
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EPIPE,
        errno.EREMOTEIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

ADVICE = {
    errno.ENOSPC: "The disk is full: free space there, or choose another place, and run the command again.",
    errno.EDQUOT: "The disk quota is used up: free space, or choose another place, and run it again.",
    errno.EFBIG: "The file would be larger than this system or process may write (see `ulimit -f`).",
    errno.EROFS: "The file system is mounted read-only: mount it for writing, or choose another place.",
    errno.EMFILE: "The process has too many open files: raise the limit (`ulimit -n`).",
    errno.ENFILE: "The machine has too many open files: close some, or raise its limit.",
    errno.EISDIR: "A folder stands where a file is needed: move it away.",
    errno.ENAMETOOLONG: "The name is too long for this file system: use shorter names.",
    errno.ELOOP: "The symbolic links lead in a circle: mend them.",
}
NO_ADVICE = "Check the disk or the connection, and run the command again."
CREDENTIALS_ADVICE = (
    "Log in first: for S3 set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
    "for GCS GOOGLE_APPLICATION_CREDENTIALS."
)
ACCESS_ADVICE = "Give this user (or these credentials) permission, or choose another place."

# Exceptions of the bucket libraries that are not OSError; none of the libraries is imported for this.
_LIBRARY_ERRORS = {
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "aiohttp": ("ClientError",),
    "gcsfs.retry": ("HttpError",),
    "google.auth.exceptions": ("GoogleAuthError",),
}

_log = logging.getLogger(__name__)


class MissingFileError(UnitscopeError, FileNotFoundError):
    """Nothing has this name."""


class NoAccessError(StorageError, PermissionError):
    """The permissions of the disk or bucket forbid it."""


def attempt(path: str, action: Callable[[], T]) -> T:
    """Return the result of `action`, which reads or writes `path`; a transient failure is tried again.

    raises: MissingFileError, NoAccessError or StorageError, naming `path`.
    """
    for pause in (*RETRY_SECONDS, None):
        try:
            return action()
        except storage_failures() as error:
            if pause is None or not _is_transient(error):
                raise translate(path, error) from error
            _log.warning("%s: %s; trying again in %s s", path, _text(error), pause)
            time.sleep(pause)
    raise AssertionError("the last try either returns or raises")


def storage_failures() -> tuple[type[Exception], ...]:
    """Return the exceptions by which a disk, or a bucket library that is loaded, says that it failed."""
    found: list[type[Exception]] = [OSError]
    for module, names in _LIBRARY_ERRORS.items():
        if module in sys.modules:
            loaded = importlib.import_module(module)
            found.extend(getattr(loaded, name) for name in names)
    return tuple(found)


def translate(path: str, error: Exception) -> UnitscopeError:
    """Return our error for a failure of the disk or bucket at `path`."""
    if isinstance(error, UnitscopeError):
        return error
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, FileNotFoundError) or number in MISSING:
        return MissingFileError(f"{path} does not exist.")
    if isinstance(error, PermissionError) or number in DENIED:
        return NoAccessError(f"{path}: permission denied ({_text(error)}). {ACCESS_ADVICE}")
    if "Credential" in type(error).__name__:
        return NoAccessError(f"{path}: {_text(error)}. {CREDENTIALS_ADVICE}")
    return StorageError(f"{path}: {_text(error)}. {ADVICE.get(number or 0, NO_ADVICE)}")


def _is_transient(error: Exception) -> bool:
    if isinstance(error, UnitscopeError):
        return False
    if isinstance(error, FileNotFoundError | PermissionError):
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError):
        return error.errno in TRANSIENT
    return "Credential" not in type(error).__name__


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).rstrip(". ")
    return text or type(error).__name__
