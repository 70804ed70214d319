"""One exchange with a service, without a transport: what is sent, when it is sent again, and what the answer means.

    Question → requests and waits → answer, or an error of common/errors.py with the service's own words

`exchange` is a generator that yields what is to be done and is sent what came of it, so that the synchronous and the
asynchronous client share it.
"""

import random
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Generic, TypeVar

import httpx
from pydantic import ValidationError

from ...common.errors import ImageError, UnitscopeError
from ..errors import KINDS, MEDIA_TYPE, PREFIX, Problem

T = TypeVar("T")

Parameter = str | int | float | bool | None
Fetch = Callable[[str], bytes | None]
"""The bytes at an address of the service's answers, None where they cannot be had."""

_AGAIN = frozenset({429, 502, 503, 504})
_FINAL = frozenset({"store-damaged", "live-model"})
"""Problems that waiting does not mend, unless the service says how long to wait."""
_LOST = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)
"""The connection failed, not the answer: a question may be asked again."""
_FIRST_PAUSE = 0.1


class ServiceError(UnitscopeError):
    """The service did not answer, or with something that no other exception says.

    status: of the answer, None where none came. problem: its type (`urn:unitscope:…`), where it has one.
    """

    def __init__(self, message: str, *, status: int | None = None, problem: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem


@dataclass(frozen=True)
class Question(Generic[T]):
    """One request, which may be sent more than once, and how its answer is read.

    path: of the address, quoted. parameters: those that are None are left out. read: makes the answer of a response.
    """

    path: str
    read: Callable[[httpx.Response, Fetch], T]
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    method: str = "GET"
    accept: str = "*/*"
    json: Any = None
    content: bytes | None = None


@dataclass(frozen=True)
class Wait:
    """Nothing is to be sent for so long."""

    seconds: float


@dataclass(frozen=True)
class RetryPolicy:
    """How often a question is asked again, and for how many seconds at most it waits for that each time."""

    retries: int = 4
    longest_wait: float = 30.0


Step = httpx.Request | Wait
Outcome = httpx.Response | httpx.TransportError | None
"""Take what came of a step; None of a wait."""


def exchange(
    question: Question[T],
    build: Callable[..., httpx.Request],
    fetch: Fetch,
    *,
    retry_policy: RetryPolicy,
    kept: "KeptAnswers",
) -> Generator[Step, Outcome, T]:
    """Ask until there is an answer. build: `build_request` of an httpx client.

    Raises the errors that the service's problems stand for, and ServiceError.
    """
    request = _request(question, build)
    held = kept.get(request)
    if held is not None and "immutable" in held.headers.get("Cache-Control", ""):
        return question.read(held, fetch)
    if held is not None:
        request.headers["If-None-Match"] = held.headers["ETag"]
    response = yield from _answered(request, retry_policy)
    if held is not None and response.status_code == 304:
        response = held
    if response.status_code != 200:
        raise error_of(response)
    kept.put(request, response)
    return _read(question, response, fetch)


def _request(question: Question[Any], build: Callable[..., httpx.Request]) -> httpx.Request:
    given = {name: value for name, value in question.parameters.items() if value is not None}
    return build(
        question.method,
        question.path,
        params=given or None,
        headers={"Accept": question.accept},
        json=question.json,
        content=question.content,
    )


def _answered(request: httpx.Request, retry_policy: RetryPolicy) -> Generator[Step, Outcome, httpx.Response]:
    """Yield the first answer that is not to be asked for again, or the last."""
    attempt = 0
    while True:
        outcome = yield request
        pause = _pause(outcome, attempt) if attempt < retry_policy.retries else None
        if pause is None or pause > retry_policy.longest_wait:
            break
        yield Wait(pause)
        attempt += 1
    if isinstance(outcome, httpx.Response):
        return outcome
    raise ServiceError(
        f"no answer from {request.url} ({type(outcome).__name__}: {outcome}); is the service running? "
        "`unitscope serve STORE` starts it"
    ) from outcome


def _pause(outcome: Outcome, attempt: int) -> float | None:
    """Return seconds until the question is asked again, None where that is no use."""
    backing_off = _FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1)
    if isinstance(outcome, httpx.Response):
        if outcome.status_code not in _AGAIN:
            return None
        told = _retry_after(outcome.headers.get("Retry-After"))
        if told is not None:
            return told
        problem = problem_of(outcome)
        return None if problem and problem.type.removeprefix(PREFIX) in _FINAL else backing_off
    return backing_off if isinstance(outcome, _LOST) else None


def _retry_after(text: str | None) -> float | None:
    """Return seconds; the header holds them, or a date (RFC 9110 §10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _read(question: Question[T], response: httpx.Response, fetch: Fetch) -> T:
    try:
        return question.read(response, fetch)
    except (ValueError, KeyError) as error:
        kind = response.headers.get("Content-Type", "nothing")
        raise ServiceError(
            f"the answer of {response.request.url} ({kind}) cannot be read; the service is of another release, or is "
            f"no Unitscope service. {error}",
            status=response.status_code,
        ) from error


def problem_of(response: httpx.Response) -> Problem | None:
    """Return the problem that a response tells of."""
    if response.headers.get("Content-Type", "").partition(";")[0] != MEDIA_TYPE:
        return None
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        return None


def error_of(response: httpx.Response) -> UnitscopeError:
    """Return the exception for an answer that is none, with the service's own words."""
    request, told = response.request, problem_of(response)
    if told is None:
        said = f"{request.method} {request.url}: {response.status_code} {response.reason_phrase}"
        return ServiceError(said, status=response.status_code)
    kind = _ERRORS.get(told.type.removeprefix(PREFIX))
    error = kind(told.detail) if kind else ServiceError(told.detail, status=told.status, problem=told.type)
    name = response.headers.get("X-Request-ID", "none")
    error.add_note(f"{response.status_code} from {request.method} {request.url}, request id {name}")
    return error


_ERRORS = {kind: error for error, _, kind, _ in KINDS if error not in (ImageError, UnitscopeError)}
"""Those that a sentence is enough for."""


class KeptAnswers:
    """Answers with their ETags, at most `limit` bytes of them; the ones used longest ago go first. For any threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._answers: OrderedDict[tuple[str, str], httpx.Response] = OrderedDict()
        self._lock = Lock()

    def get(self, request: httpx.Request) -> httpx.Response | None:
        """Return what the same request was answered with."""
        key = _key(request)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def put(self, request: httpx.Request, response: httpx.Response) -> None:
        """Keep an answer that has an ETag and is not too large."""
        size = len(response.content)
        if request.method != "GET" or "ETag" not in response.headers or size > self._limit:
            return
        with self._lock:
            before = self._answers.pop(_key(request), None)
            self._held += size - (len(before.content) if before is not None else 0)
            self._answers[_key(request)] = response
            while self._held > self._limit:
                self._held -= len(self._answers.popitem(last=False)[1].content)


def _key(request: httpx.Request) -> tuple[str, str]:
    return str(request.url), request.headers.get("Accept", "")
