"""Cache-only reads: inside `cached_only()`, whatever would read a file or compute for long raises `NotCachedError`.

A caller that must not wait, such as an event loop, runs the usual query in it, and hands the query on where it raises:

    try:
        with cached_only():
            return store.top("features.10", 17)
    except NotCachedError:
        return await run_in_a_thread(store.top, "features.10", 17)
"""

from contextvars import ContextVar, Token
from types import TracebackType

_ON: ContextVar[bool] = ContextVar("unitscope_cached_only", default=False)


class NotCachedError(Exception):
    """Raised where a value is not in memory, or takes longer than a caller may wait that reads from caches only."""


class cached_only:
    """Make reads inside cache-only, in this task or thread."""

    __slots__ = ("_token",)

    _token: Token[bool]

    def __enter__(self) -> None:
        self._token = _ON.set(True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _ON.reset(self._token)


def must_be_cached() -> bool:
    """Return whether reads are cache-only here."""
    return _ON.get()


def refuse_if_cached_only() -> None:
    """Raise NotCachedError where reads are cache-only: before a file is read, or something long is computed."""
    if _ON.get():
        raise NotCachedError
