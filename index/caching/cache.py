"""A cache that forgets what was used longest ago once it holds too many bytes. Safe to use from several threads."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from threading import Lock
from typing import Any, TypeVar

from .cached_only import refuse_if_cached_only

T = TypeVar("T")


class ByteCache:
    """Values by key, at most `limit` bytes of them; what alone is larger than that is not kept.

    limit: in bytes. reads: how many found their value here, and how many had to make it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()
        self._hits = self._misses = 0

    @property
    def reads(self) -> tuple[int, int]:
        return self._hits, self._misses

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int], *, reads: bool = True) -> T:
        """Return the value of `key`, made by `make` where it is not held; two threads may make the same value at
        once.

        reads: whether `make` reads a file or computes for long; then it is not called where reads are cache-only.
        Raises NotCachedError there.
        """
        held = self.held(key)
        if held is not None:
            return held[0]
        if reads:
            refuse_if_cached_only()
        with self._lock:
            self._misses += 1
        value = make()
        self.keep(key, value, size(value))
        return value

    def held(self, key: Hashable) -> tuple[Any] | None:
        """Return the value of `key`, alone in a tuple, where it is held."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            self._hits += 1
            return (self._values[key][0],)

    def held_all(self, keys: Iterable[Hashable]) -> list[Any]:
        """Return the value of each key, None for those that are not held."""
        with self._lock:
            found: list[Any] = []
            for key in keys:
                held = self._values.get(key)
                if held is not None:
                    self._values.move_to_end(key)
                found.append(None if held is None else held[0])
            missing = found.count(None)
            self._hits += len(found) - missing
            self._misses += missing
            return found

    def keep(self, key: Hashable, value: object, size: int) -> None:
        """Hold a value of `size` bytes, unless that is too much or the key has one."""
        self.keep_all([(key, value, size)])

    def keep_all(self, items: Iterable[tuple[Hashable, object, int]]) -> None:
        """Hold (key, value, bytes), as `keep`."""
        with self._lock:
            for key, value, size in items:
                if key in self._values or size > self.limit:
                    continue
                self._values[key] = (value, size)
                self._held += size
            while self._held > self.limit:
                self._held -= self._values.popitem(last=False)[1][1]
