"""`Client` and `AsyncClient`, a service over HTTP, and `Store` and `AsyncStore`, what they call one store.

Both send the requests of store_endpoints.py. Requests without an answer, or with 503, are sent again after a pause; the
service's problems become the errors of common/errors.py, and `ServiceError` what is none of them.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any, Self, TypeVar

import httpx

from ...common.errors import UnitscopeError
from .connection import Connection
from .endpoint import Asking, AsyncAsking
from .exchange import Fetch, Outcome, Question, Step, Wait
from .store_endpoints import ServiceQuestions, StoreQuestions

T = TypeVar("T")


class Client(Connection[httpx.BaseTransport], ServiceQuestions, Asking):
    """A service. Any threads may share one; close it, or use it in a `with`.

    >>> from unitscope.service.client import Client
    >>> with Client("http://127.0.0.1:8000") as client:
    ...     store = client.store("store")
    ...     patches = store.patches("head", 3, k=2, where="correct = false")
    >>> [(patch.image_id, round(patch.value, 2)) for patch in patches]
    [(10, 1.8), (25, 1.2)]
    """

    def _connect(self, options: dict[str, Any], transport: httpx.BaseTransport | None) -> None:
        self._http = httpx.Client(**options, transport=transport)

    def store(self, name: str) -> "Store":
        """Return one store, without asking whether it is there."""
        return Store(self, name)

    def ask(self, question: Question[T]) -> T:
        """Return the answer. Raises the errors of common/errors.py, ServiceError among them."""
        step = self._begin(question, self._http.build_request, self._fetch)
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
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(Connection[httpx.AsyncBaseTransport], ServiceQuestions, AsyncAsking):
    """As `Client`, for one event loop."""

    def _connect(self, options: dict[str, Any], transport: httpx.AsyncBaseTransport | None) -> None:
        self._http = httpx.AsyncClient(**options, transport=transport)
        self._fetch = _no_pictures if transport else _notebook_fetch(options)

    def store(self, name: str) -> "AsyncStore":
        """Return one store, without asking whether it is there."""
        return AsyncStore(self, name)

    async def ask(self, question: Question[T]) -> T:
        """Return the answer. Raises the errors of common/errors.py, ServiceError among them."""
        step = self._begin(question, self._http.build_request, self._fetch)
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
        """Close the connections."""
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
        """Return the answer. Raises the errors of common/errors.py, ServiceError among them."""
        return self._client.ask(question)


class AsyncStore(StoreQuestions, AsyncAsking):
    """One store of a service."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        super().__init__(name)
        self._client = client

    async def ask(self, question: Question[T]) -> T:
        """Return the answer. Raises the errors of common/errors.py, ServiceError among them."""
        return await self._client.ask(question)


def fetched(client: Client, address: str) -> bytes | None:
    """Return what a picture's address in an answer holds; None where it cannot be had, or is not of the service."""
    if not address.startswith("/api/"):
        return None
    with suppress(UnitscopeError):
        return client.ask(Question(address, lambda response, _: response.content, accept="image/*"))
    return None


def _notebook_fetch(options: dict[str, Any]) -> Fetch:
    """Return a notebook shows a value without awaiting anything: its pictures come through a client of their own."""

    def fetch(address: str) -> bytes | None:
        url = options["base_url"]
        with Client(url, timeout=options["timeout"], headers=options["headers"], cache_bytes=0) as client:
            return fetched(client, address)

    return fetch


def _no_pictures(address: str) -> bytes | None:
    return None
