"""`Reloading`: a thing opened from the files that one manifest names, and opened again when that manifest changes."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from ...common.errors import StorageError, StoreNotFoundError, UnitscopeError
from ...index.caching.cached_only import NotCachedError, must_be_cached
from ...index.storage.folder import Folder, MissingFileError

T = TypeVar("T")
Stamp = tuple[object, ...]

BUCKET_SECONDS = 1.0
"""How long a bucket's manifest is taken for unchanged; a local one is looked at each time (some microseconds)."""
FAILED_SECONDS = 1.0
"""How long a failure to open is remembered, so that requests in a row do not all try again."""
_TRIES = 20
_PAUSE = 0.05


@dataclass(frozen=True)
class Version(Generic[T]):
    """value: what was opened. digest: SHA-256 of the manifest that names its files. stamp: when it was looked at."""

    value: T
    digest: str
    stamp: Stamp


class Reloading(Generic[T]):
    """The newest finished version. Threads may share it; what is held is answered from while a newer one is opened.

    folder, manifest: the small file that is removed first and written last whenever the thing is made again.
    make: opens the thing from its files. keeps: whether what was opened needs its files no more (it is in memory or
    mapped), so that it goes on while the next one is made, when the manifest is missing, and while that is opened.
    """

    def __init__(self, folder: Folder, manifest: str, make: Callable[[], T], *, keeps: bool = True) -> None:
        self._folder, self._manifest, self._make, self._keeps = folder, manifest, make, keeps
        local = folder.local_path(manifest)
        self._local = None if local is None else str(local)
        self._held: Version[T] | None = None
        self._failed: tuple[Stamp | None, float, UnitscopeError] | None = None
        self._looked = (-BUCKET_SECONDS, Stamp())
        self._lock = Lock()

    @property
    def is_open(self) -> bool:
        """Whether there is a version to answer from without opening one."""
        return self._held is not None

    def get(self) -> Version[T]:
        """Return the newest version. Raises StoreNotFoundError without one, and whatever opening raises.

        Where reads are cache-only: NotCachedError where it would have to be opened, or is in a bucket.
        """
        if must_be_cached():
            return self._cached()
        held, stamp = self._held, self._stamp()
        if held is not None and (held.stamp == stamp or (stamp is None and self._keeps)):
            return held
        if held is not None and self._keeps and self._lock.locked():
            return held
        with self._lock:
            if self._held is not None and self._held.stamp == self._stamp():
                return self._held
            self._raise_remembered(stamp)
            try:
                self._held = self._open()
            except UnitscopeError as error:
                if held is not None and self._keeps and self._stamp() is None:
                    return held  # the next one is being made
                self._failed = (stamp, time.monotonic(), error)
                raise
            return self._held

    def _cached(self) -> Version[T]:
        held, stamp = self._held, None if self._local is None else self._stamp()
        if held is not None and held.stamp == stamp:
            return held
        if held is None and stamp is None and self._local is not None:
            raise StoreNotFoundError(f"there is no {self._local}")
        raise NotCachedError

    def _open(self) -> Version[T]:
        """Open between two readings of one and the same manifest, so never half of two versions."""
        for _ in range(_TRIES):
            stamp, before = self._stamp(), self._read()
            try:
                value = self._make()
            except UnitscopeError:
                if before == self._read():
                    raise
            else:
                if stamp is not None and before is not None and before == self._read():
                    return Version(value, hashlib.sha256(before).hexdigest(), stamp)
            time.sleep(_PAUSE)
        raise StorageError(f"{self._folder.path(self._manifest)} keeps changing; try again")

    def _read(self) -> bytes | None:
        try:
            return self._folder.read(self._manifest)
        except MissingFileError:
            return None

    def _raise_remembered(self, stamp: Stamp | None) -> None:
        if self._failed is None:
            return
        failed_stamp, when, error = self._failed
        if failed_stamp == stamp and time.monotonic() - when < FAILED_SECONDS:
            raise error

    def _stamp(self) -> Stamp | None:
        """Return what changes when the manifest does; None where there is none."""
        try:
            if self._local is not None:
                status = os.stat(self._local)  # noqa: PTH116 - asked for several times in each request
                return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
            looked, stamp = self._looked
            if stamp and time.monotonic() - looked < BUCKET_SECONDS:
                return stamp
            entry = self._folder.entry(self._manifest)
            stamp = (entry.etag, entry.size)
            self._looked = (time.monotonic(), stamp)
            return stamp
        except (MissingFileError, FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageError(f"{self._folder.path(self._manifest)}: {error.strerror or error}") from error


VERSION_LETTERS = 12


Picture = tuple[bytes, str]
"""Encoded pixels and their media type."""


def part_version(part: Version[Any]) -> str:
    """Return what `v=` holds in the addresses of pictures of a part of a store."""
    return part.digest[:VERSION_LETTERS]
