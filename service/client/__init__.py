"""Clients of a running service: `Client`, and `AsyncClient` for asyncio. They need neither torch nor the web framework.

    with Client("http://127.0.0.1:8000") as client:
        store = client.store("photos")
        patches = store.patches("features.10", 17, where="correct = false")
        patches.to_pandas(); store.picture(patches[0])

Both ask the questions of client_questions.py. Questions that get no answer, or 503, are asked again after a pause; the
service's problems become the errors of common/errors.py, and `ServiceError` what is none of them.
"""

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any, Self, TypeVar

import httpx

from ...common.errors import UnitscopeError
from .exchange import Fetch, KeptAnswers, Outcome, Patience, Question, ServiceError, Step, Wait, exchange
from .methods import Asking, AsyncAsking, AsyncPages, Pages
from .questions import ServiceQuestions, StoreQuestions
from .rows import Rows

__all__ = [
    "AsyncClient",
    "AsyncPages",
    "AsyncStore",
    "Client",
    "Pages",
    "Patience",
    "Rows",
    "ServiceError",
    "Store",
]

T = TypeVar("T")

LOCAL = "http://127.0.0.1:8000"


class Client(ServiceQuestions, Asking):
    """A service. Any threads may share one; close it, or use it in a `with`.

    url: where it answers. timeout: seconds for one answer. cache_bytes: of answers that are kept and only asked about
    again. headers: sent with each request, for a proxy that wants them. transport: of httpx, for tests.
    """

    def __init__(
        self,
        url: str = LOCAL,
        *,
        timeout: float = 30.0,
        patience: Patience | None = None,
        cache_bytes: int = 32 << 20,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=url, timeout=timeout, headers=headers, transport=transport)
        self._patience = patience or Patience()
        self._kept = KeptAnswers(cache_bytes)

    def store(self, name: str) -> "Store":
        """One store, without asking whether it is there."""
        return Store(self, name)

    def ask(self, question: Question[T]) -> T:
        """The answer. Raises the errors of common/errors.py, ServiceError among them."""
        build = self._http.build_request
        steps = exchange(question, build, self._fetch, patience=self._patience, kept=self._kept)
        step = _Stepping(steps)
        while step.next is not None:
            step.take(self._do(step.next))
        return step.answer

    def _do(self, step: Step) -> Outcome:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.send(step)
        except httpx.TransportError as error:
            return error

    def _fetch(self, address: str) -> bytes | None:
        return fetched(self, address)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(ServiceQuestions, AsyncAsking):
    """As `Client`, for one event loop."""

    def __init__(
        self,
        url: str = LOCAL,
        *,
        timeout: float = 30.0,
        patience: Patience | None = None,
        cache_bytes: int = 32 << 20,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, headers=headers, transport=transport)
        self._patience = patience or Patience()
        self._kept = KeptAnswers(cache_bytes)
        self._fetch = _no_pictures if transport else _notebook_fetch(url, timeout, headers)

    def store(self, name: str) -> "AsyncStore":
        """One store, without asking whether it is there."""
        return AsyncStore(self, name)

    async def ask(self, question: Question[T]) -> T:
        """The answer. Raises the errors of common/errors.py, ServiceError among them."""
        build = self._http.build_request
        steps = exchange(question, build, self._fetch, patience=self._patience, kept=self._kept)
        step = _Stepping(steps)
        while step.next is not None:
            step.take(await self._do(step.next))
        return step.answer

    async def _do(self, step: Step) -> Outcome:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.send(step)
        except httpx.TransportError as error:
            return error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Store(StoreQuestions, Asking):
    """One store of a service."""

    def __init__(self, client: Client, name: str) -> None:
        super().__init__(name)
        self._client = client

    def ask(self, question: Question[T]) -> T:
        """The answer. Raises the errors of common/errors.py, ServiceError among them."""
        return self._client.ask(question)


class AsyncStore(StoreQuestions, AsyncAsking):
    """One store of a service."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        super().__init__(name)
        self._client = client

    async def ask(self, question: Question[T]) -> T:
        """The answer. Raises the errors of common/errors.py, ServiceError among them."""
        return await self._client.ask(question)


class _Stepping:
    """Runs an exchange. next: the step to be done now, None once there is the answer."""

    def __init__(self, steps: Generator[Step, Outcome, Any]) -> None:
        self._steps = steps
        self.next: Step | None = None
        self.answer: Any = None
        self.take(None)

    def take(self, outcome: Outcome) -> None:
        """What came of the step."""
        try:
            self.next = self._steps.send(outcome)
        except StopIteration as end:
            self.next, self.answer = None, end.value


def fetched(client: Client, address: str) -> bytes | None:
    """What a picture's address in an answer holds; None where it cannot be had, or is not of the service."""
    if not address.startswith("/api/"):
        return None
    with suppress(UnitscopeError):
        return client.ask(Question(address, lambda response, _: response.content, accept="image/*"))
    return None


def _notebook_fetch(url: str, timeout: float, headers: Mapping[str, str] | None) -> Fetch:
    """A notebook shows a value without awaiting anything: its pictures come through a client of their own."""

    def fetch(address: str) -> bytes | None:
        with Client(url, timeout=timeout, headers=headers, cache_bytes=0) as client:
            return fetched(client, address)

    return fetch


def _no_pictures(address: str) -> bytes | None:
    return None
