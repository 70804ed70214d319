"""Methods that are said once for both clients: called on a synchronous one they answer, on an asynchronous one they
give what is to be awaited.

    class Questions:
        @asks
        def unit(self, layer: str, unit: int) -> Question[OneUnitAnswer]: ...

    client.unit("conv", 17)          # OneUnitAnswer
    await client.unit("conv", 17)    # the same, of an asynchronous client
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import update_wrapper, wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from pydantic import BaseModel

from ..schemas.base import Table
from .exchange import Question
from .rows import Rows

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A", bound=Table)
R = TypeVar("R", bound=BaseModel)

MOST = 1000
"""Rows of a page, at most."""


class Asking:
    """Who asks a question and waits for the answer."""

    def ask(self, question: Question[T]) -> T:
        """Return the answer. Raises the errors of common/errors.py, ServiceError among them."""
        raise NotImplementedError


class AsyncAsking:
    """As `Asking`; the answer is awaited."""

    async def ask(self, question: Question[T]) -> T:
        """Return the answer. Raises the errors of common/errors.py, ServiceError among them."""
        raise NotImplementedError


class asks(Generic[P, T]):
    """Makes a method that returns a question into one that asks it."""

    def __init__(self, make: Callable[Concatenate[Any, P], Question[T]]) -> None:
        self._make = make
        update_wrapper(self, make)  # pyright: ignore[reportArgumentType]

    @overload
    def __get__(self, asking: None, kind: type) -> Self: ...
    @overload
    def __get__(self, asking: Asking, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, asking: AsyncAsking, kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, asking: Asking | AsyncAsking | None, kind: type) -> Any:
        if asking is None:
            return self

        @wraps(self._make)
        def asked(*args: P.args, **kwargs: P.kwargs) -> Any:
            return self(asking, *args, **kwargs)

        return asked

    def __call__(self, asking: Asking | AsyncAsking, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Bind the endpoint to a client."""
        return asking.ask(self._make(asking, *args, **kwargs))


@dataclass(frozen=True)
class Paged(Generic[A, R]):
    """A question whose answer comes in pages. page: makes the question of one: from a cursor, of so many rows."""

    page: Callable[[str | None, int], Question[Rows[A, R]]]


class Pages(Generic[A, R]):
    """The rows of all pages, fetched when they are reached. Iterate over it, or take the `first` rows, or `all`.

    Where the store is replaced meanwhile, the next page is an error: two versions are never joined.
    """

    def __init__(self, asking: Asking, paged: Paged[A, R]) -> None:
        self._asking, self._paged = asking, paged

    def __iter__(self) -> Iterator[R]:
        for page in self.pages():
            yield from page

    def pages(self, rows: int | None = None) -> Iterator[Rows[A, R]]:
        """Yield one after another, with `rows` rows in all, None for every one."""
        cursor = None
        while True:
            page = self._asking.ask(self._paged.page(cursor, MOST if rows is None else min(rows, MOST)))
            yield page
            cursor, rows = _next(page, rows)
            if cursor is None:
                return

    def first(self, rows: int) -> Rows[A, R]:
        """Return at most so many rows."""
        head, *tail = self.pages(rows)
        return head.joined(tail)

    def all(self) -> Rows[A, R]:
        """Return every row."""
        head, *tail = self.pages()
        return head.joined(tail)

    def _repr_html_(self) -> str:
        return self.first(MOST)._repr_html_()  # pyright: ignore[reportPrivateUsage]


class AsyncPages(Generic[A, R]):
    """As `Pages`, for `async for` and `await`."""

    def __init__(self, asking: AsyncAsking, paged: Paged[A, R]) -> None:
        self._asking, self._paged = asking, paged

    async def __aiter__(self) -> AsyncIterator[R]:
        async for page in self.pages():
            for row in page:
                yield row

    async def pages(self, rows: int | None = None) -> AsyncIterator[Rows[A, R]]:
        """Yield one after another, with `rows` rows in all, None for every one."""
        cursor = None
        while True:
            page = await self._asking.ask(self._paged.page(cursor, MOST if rows is None else min(rows, MOST)))
            yield page
            cursor, rows = _next(page, rows)
            if cursor is None:
                return

    async def first(self, rows: int) -> Rows[A, R]:
        """Return at most so many rows."""
        head, *tail = [page async for page in self.pages(rows)]
        return head.joined(tail)

    async def all(self) -> Rows[A, R]:
        """Return every row."""
        head, *tail = [page async for page in self.pages()]
        return head.joined(tail)


class lists(Generic[P, A, R]):
    """Makes a method that returns a question in pages into one that gives the pages."""

    def __init__(self, make: Callable[Concatenate[Any, P], Paged[A, R]]) -> None:
        self._make = make
        update_wrapper(self, make)  # pyright: ignore[reportArgumentType]

    @overload
    def __get__(self, asking: None, kind: type) -> Self: ...
    @overload
    def __get__(self, asking: Asking, kind: type) -> Callable[P, Pages[A, R]]: ...
    @overload
    def __get__(self, asking: AsyncAsking, kind: type) -> Callable[P, AsyncPages[A, R]]: ...
    def __get__(self, asking: Asking | AsyncAsking | None, kind: type) -> Any:
        if asking is None:
            return self

        @wraps(self._make)
        def listed(*args: P.args, **kwargs: P.kwargs) -> Any:
            return self(asking, *args, **kwargs)

        return listed

    def __call__(self, asking: Asking | AsyncAsking, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Bind the endpoint to a client."""
        paged = self._make(asking, *args, **kwargs)
        return Pages(asking, paged) if isinstance(asking, Asking) else AsyncPages(asking, paged)


def _next(page: Rows[Any, Any], rows: int | None) -> tuple[str | None, int | None]:
    """Return the cursor of the page after this one, None where it is the last that is wanted; and how many rows are
    still.
    """
    left = None if rows is None else rows - len(page)
    return (None if left is not None and left <= 0 else page.answer.next), left
