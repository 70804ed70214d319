"""What both clients are made with, and how they begin a question."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Generic, TypeVar

import httpx

from .exchange import Fetch, KeptAnswers, Outcome, Question, RetryPolicy, Step, exchange

Transport = TypeVar("Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)

LOCAL = "http://127.0.0.1:8000"


class Connection(Generic[Transport]):
    """A service.

    url: where it answers. timeout: seconds for one answer. cache_bytes: of answers that are kept and only asked about
    again. headers: sent with each request, for a proxy that wants them. transport: of httpx, for tests.
    """

    def __init__(
        self,
        url: str = LOCAL,
        *,
        timeout: float = 30.0,
        retry_policy: RetryPolicy | None = None,
        cache_bytes: int = 32 << 20,
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._retry_policy = retry_policy or RetryPolicy()
        self._kept = KeptAnswers(cache_bytes)
        self._connect({"base_url": url, "timeout": timeout, "headers": headers}, transport)

    def _connect(self, options: dict[str, Any], transport: Transport | None) -> None:
        """Open httpx's client. options: the others of its own."""
        raise NotImplementedError

    def _begin(
        self, question: Question[Any], build: Callable[..., httpx.Request], fetch: Fetch
    ) -> "Stepping":
        """Begin a request. build: makes a request. fetch: gets the pictures of a notebook."""
        return Stepping(exchange(question, build, fetch, retry_policy=self._retry_policy, kept=self._kept))


class Stepping:
    """Runs an exchange. next: the step to be done now, None once there is the answer."""

    def __init__(self, steps: Generator[Step, Outcome, Any]) -> None:
        self._steps = steps
        self.next: Step | None = None
        self.answer: Any = None
        self.take(None)

    def take(self, outcome: Outcome) -> None:
        """Take what came of the step."""
        try:
            self.next = self._steps.send(outcome)
        except StopIteration as end:
            self.next, self.answer = None, end.value
