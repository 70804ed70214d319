"""What the views of several pages need: what every page is given, and questions that may find no answer."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from contextvars import copy_context
from dataclasses import dataclass
from threading import BoundedSemaphore, Timer
from typing import Any, Generic, TypeVar

from fastapi import Request

from ....common.errors import DatasetNotAllowedError, ModelNotAllowedError, NotBuiltError, UnitscopeError
from ...errors import ModelUnavailableError, status_of
from ...queries import stores as store_queries
from ...queries.class_names import name_of
from ...queries.live import Live
from ...queries.pixels import read_pixels
from ...queries.stores import describe
from ...schemas.stores import StoreAnswer
from ...stores.registry import ServedStore
from ...stores.urls import version

T = TypeVar("T")

_BLOCKED_SECONDS = 3.0
_PATIENCE = 0.03
"""Seconds that a page waits for a part that takes long when it is first asked for."""
_PAINTED = 0.4
"""Seconds after which a page has been painted."""
_MANY = 16
_working = ThreadPoolExecutor(2, "parts-of-pages")
_places = BoundedSemaphore(_MANY)


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """What was found, or else why nothing was and the page's status."""

    found: T | None
    problem: str | None = None
    status: int = 200


def attempt(question: Callable[[], T]) -> Attempt[T]:
    """Ask; a section of a page says why it is empty, and the others are shown all the same.

    That something is not made yet or not allowed, or that the model cannot be asked now, is not an error of the page.
    """
    try:
        return Attempt(question())
    except (NotBuiltError, ModelUnavailableError, ModelNotAllowedError, DatasetNotAllowedError) as error:
        return Attempt(None, str(error))
    except UnitscopeError as error:
        return Attempt(None, str(error), status_of(error)[0])


def soon(question: Callable[[], T], *, wait: bool = False, patience: float = _PATIENCE) -> Attempt[T] | None:
    """Do the same as `attempt`; None where the answer takes long. It is then being made, for the page that asks again.

    wait: for as long as it takes.
    """
    return begin(question, wait=wait, patience=patience)()


def begin(
    question: Callable[[], T], *, wait: bool = False, patience: float = _PATIENCE, long: bool = False
) -> Callable[[], Attempt[T] | None]:
    """Do the same as `soon`, in two steps: what is called for the answer waits for what is then left of the patience.

    So a page asks first for what takes long, and makes the rest of itself meanwhile. long: whether it is known to take
    longer than that; it is then begun once the page is painted, which would have to share the machine with it.
    """
    if wait:
        return lambda: attempt(question)
    if not _places.acquire(blocking=False):
        return lambda: None
    if long:
        later = Timer(_PAINTED, _ask, (question,))
        later.daemon = True
        later.start()
        return lambda: None
    until = time.monotonic() + patience
    asked = _ask(question)

    def answer() -> Attempt[T] | None:
        try:
            return asked.result(max(0.0, until - time.monotonic()))
        except NotYetError:
            return None

    return answer


def _ask(question: Callable[[], T]) -> Future[Attempt[T]]:
    """Begin on it, in one of the places that was taken for it."""
    asked = _working.submit(copy_context().run, attempt, question)
    asked.add_done_callback(lambda _: _places.release())
    return asked


def given(served: ServedStore) -> dict[str, Any]:
    """Return what every page of a store is given."""
    return {
        "store": store_queries.describe(served),
        "v": version(served),
        "url": served.store.folder.url,
        "class_of": lambda label: name_of(served, label),
    }


def live_of(request: Request) -> Live:
    """Return the way to the model worker."""
    return Live(request.app.state.live)


def blocked_lately(served: ServedStore, image_id: int) -> Callable[[], str | None]:
    """Do the same as `blocked`, remembered for some seconds: a page of many images does not wait for a far dataset
    each time.
    """
    when, problem = served.blocked
    if time.monotonic() - when <= _BLOCKED_SECONDS:
        return lambda: problem
    found = blocked(served, image_id)

    def told() -> str | None:
        problem = found()
        served.blocked = (time.monotonic(), problem)
        return problem

    return told


def blocked(served: ServedStore, image_id: int) -> Callable[[], str | None]:
    """Begin to find out, on one image, why pixels cannot be had from the dataset; the page then shows thumbnails.

    None where that takes long: they may come yet, and lie over the thumbnails when they do.
    """
    found = begin(lambda: read_pixels(served, image_id))

    def told() -> str | None:
        tried = found()
        return tried.problem if tried else None

    return told


def store_of(request: Request) -> StoreAnswer | None:
    """Return the store that the address names, if it can be read: the page says of it what every page says."""
    try:
        return describe(request.app.state.registry.get(request.path_params.get("store", "")).value)
    except UnitscopeError:
        return None
