"""A cache whose values are made once: of threads that ask for the same one at the same time, one makes it."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

from .cache import ByteCache
from .cached_only import refuse_if_cached_only

T = TypeVar("T")


class OnceCache:
    """As `ByteCache`, at most `limit` bytes of values; for what takes long to make."""

    def __init__(self, limit: int) -> None:
        self._cache = ByteCache(limit)
        self._making: dict[Hashable, Future[Any]] = {}
        self._lock = Lock()

    @property
    def reads(self) -> tuple[int, int]:
        """Found, made; who waited for another's is in neither."""
        return self._cache.reads

    def holds(self, key: Hashable) -> bool:
        """Return whether the value of `key` is there already."""
        return self._cache.held(key) is not None

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """Return the value of `key`. Raises what `make` raises, for all who wait for it; the next to ask tries
        again.
        """
        held = self._cache.held(key)
        if held is not None:
            return held[0]
        refuse_if_cached_only()
        with self._lock:
            waited_for = self._making.get(key)
            ours: Future[T] = Future()
            if waited_for is None:
                self._making[key] = ours
        if waited_for is not None:
            return waited_for.result()
        try:
            value = self._cache.get(key, make, size)
        except BaseException as error:
            ours.set_exception(error)
            raise
        else:
            ours.set_result(value)
            return value
        finally:
            with self._lock:
                del self._making[key]
