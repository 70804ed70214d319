"""The temporary folder of a local Ray cluster: made for one run, removed at its end.

The run that made a folder holds a lock in it. A folder whose lock is free belongs to a run that was killed; the next
run removes it.
"""

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...common.errors import StorageError

PREFIX = "unitscope-"
LOCK = "ray.lock"
RANDOM = 8
"""Characters that mkdtemp adds to the prefix."""
LONGEST = 43 if sys.platform == "linux" else 39
"""Bytes of the folder's path. Ray puts sockets 64 bytes deeper, and a system limits the length of their paths."""
FRESH = 10.0
"""Seconds after which a folder that nobody has locked is a dead one, not one that is just being made."""


@contextmanager
def session_folder() -> Generator[Path]:
    """Make the folder, below $RAY_TMPDIR or the system's temporary folder.

    Raises StorageError where that cannot be written or its path is too long for sockets.
    """
    parent = _parent()
    _remove_dead(parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(
            f"{parent}: Ray needs a temporary folder, and none can be made there ({error.strerror}): set RAY_TMPDIR to "
            "a folder that can be written, or give --workers 0 to work without Ray"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _parent() -> Path:
    named = os.environ.get("RAY_TMPDIR")
    room = LONGEST - len(f"/{PREFIX}") - RANDOM
    if named and len(os.fsencode(Path(named).absolute())) > room:
        raise StorageError(
            f"RAY_TMPDIR={named}: too long for the sockets that Ray puts there; name a folder of at most {room} bytes"
        )
    usual = tempfile.gettempdir()
    if named:
        return Path(named).absolute()
    return Path(usual if len(os.fsencode(usual)) <= room else "/tmp")


def _remove_dead(parent: Path) -> None:
    """Remove the folders of runs that were killed."""
    for folder in parent.glob(f"{PREFIX}{'?' * RANDOM}"):
        with suppress(OSError):  # another user's, or another run was quicker
            if time.time() - (folder / LOCK).stat().st_mtime < FRESH:
                continue
            descriptor = os.open(folder / LOCK, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
