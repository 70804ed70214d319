"""When the clients ask again, how long they wait, and what they keep."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from unitscope.common.errors import StorageError, StoreDamagedError, UnitscopeError
from unitscope.service.client import AsyncClient, Client, RetryPolicy, ServiceError
from unitscope.service.client.exchange import KeptAnswers
from unitscope.service.errors import KINDS, ModelUnavailableError

HEALTH = {"content-type": "application/json"}
ABOUT = (
    '{"manifest":"m","weights":null,"random":false,"maxima_dtype":"float32","feature_dtype":"float32",'
    '"precision":"exact","name":"s","images":1,"ok":1,"errors":{},"layers":1,"units":1,"model":"m",'
    '"labels":"l","feature_note":"n","indexed":false,"atlases":[]}'
)


def good(**headers):
    return httpx.Response(200, headers=HEALTH | headers, text=ABOUT)


def problem(status, kind, **headers):
    told = {
        "type": f"urn:unitscope:{kind}",
        "title": "t",
        "status": status,
        "detail": f"the detail of {kind}",
    }
    response = httpx.Response(status, json=told)
    response.headers.update({"content-type": "application/problem+json", **headers})
    return response


class Service:
    """Answers with one thing after another; an exception is raised instead."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    def client(self, **options):
        return Client("http://x", transport=httpx.MockTransport(self), **options)


@pytest.fixture
def naps(monkeypatch):
    """The seconds that clients would have slept; other threads of this process sleep as they do."""
    naps, own, really_sleep = [], threading.get_ident(), time.sleep

    def nap(seconds):
        (naps.append if threading.get_ident() == own else really_sleep)(seconds)

    monkeypatch.setattr(time, "sleep", nap)

    async def sleep(seconds):
        naps.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return naps


AGAIN = [
    httpx.ConnectError("refused"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("gone"),
    problem(503, "storage"),
    httpx.Response(502),
]


@pytest.mark.parametrize("outcome", AGAIN, ids=repr)
def test_it_asks_again_after_a_growing_pause(naps, outcome):
    service = Service(outcome, outcome, outcome, good())
    with service.client() as client:
        assert client.store("s").about().name == "s"
    assert len(service.requests) == 4
    assert all(low <= nap <= 2 * low for nap, low in zip(naps, (0.05, 0.1, 0.2), strict=True))


def test_the_asynchronous_client_asks_again_too(naps):
    service = Service(*AGAIN[:4], good())

    async def ask():
        async with AsyncClient("http://x", transport=httpx.MockTransport(service)) as client:
            return await client.store("s").about()

    assert asyncio.run(ask()).name == "s"
    assert len(naps) == 4


def test_it_gives_up_with_the_services_own_words(naps):
    service = Service(*[problem(503, "storage")] * 3)
    with (
        service.client(retry_policy=RetryPolicy(retries=2)) as client,
        pytest.raises(StorageError, match="the detail"),
    ):
        client.store("s").about()
    assert len(naps) == 2


def test_a_service_that_is_not_there_is_said(naps):
    service = Service(*[httpx.ConnectError("refused")] * 5)
    with service.client() as client, pytest.raises(ServiceError, match="is the service running") as caught:
        client.store("s").about()
    assert caught.value.status is None


@pytest.mark.parametrize(("told", "least", "most"), [("3", 3, 3), ("date", 15, 20), ("nonsense", 0.05, 0.1)])
def test_it_waits_as_long_as_the_service_says(naps, told, least, most):
    if told == "date":
        told = format_datetime(datetime.now(UTC) + timedelta(seconds=20))
    service = Service(problem(503, "storage", **{"retry-after": told}), good())
    with service.client() as client:
        client.store("s").about()
    assert least <= naps[0] <= most


def test_it_does_not_wait_longer_than_it_may(naps):
    service = Service(problem(503, "live-model", **{"retry-after": "31"}))
    with service.client() as client, pytest.raises(ModelUnavailableError, match="the detail"):
        client.store("s").about()
    assert naps == []


@pytest.mark.parametrize(
    "outcome",
    [
        problem(503, "store-damaged"),
        problem(503, "live-model"),
        problem(404, "not-found"),
        httpx.Response(500),
        httpx.ReadTimeout("slow"),
    ],
    ids=repr,
)
def test_what_asking_again_does_not_mend_is_asked_once(naps, outcome):
    service = Service(outcome)
    with service.client() as client, pytest.raises(UnitscopeError):
        client.store("s").about()
    assert (len(service.requests), naps) == (1, [])


@pytest.mark.parametrize(("error", "status", "kind", "_title"), KINDS, ids=[kind for _, _, kind, _ in KINDS])
def test_each_problem_has_its_error(naps, error, status, kind, _title):
    service = Service(problem(status, kind, **{"retry-after": "99"}))
    with service.client() as client, pytest.raises(Exception, match=f"the detail of {kind}") as caught:
        client.store("s").about()
    if kind in ("image", "store"):
        assert (type(caught.value), caught.value.status) == (ServiceError, status)
        assert caught.value.problem == f"urn:unitscope:{kind}"
    else:
        assert type(caught.value) is error


def test_a_problem_of_another_release_is_told(naps):
    service = Service(problem(418, "teapot"))
    with service.client() as client, pytest.raises(ServiceError, match="the detail of teapot"):
        client.store("s").about()


def test_a_damaged_store_is_one(naps):
    with Service(problem(503, "store-damaged")).client() as client, pytest.raises(StoreDamagedError):
        client.store("s").about()


def test_what_has_not_changed_is_not_fetched_again():
    service = Service(good(etag='"1"'), httpx.Response(304), good(etag='"2"'), httpx.Response(304))
    with service.client() as client:
        answers = [client.store("s").about() for _ in range(4)]
    assert [request.headers.get("if-none-match") for request in service.requests] == [
        None,
        '"1"',
        '"1"',
        '"2"',
    ]
    assert answers[0] == answers[3]


def test_what_does_not_change_is_not_asked_for_again():
    service = Service(good(etag='"1"', **{"cache-control": "private, immutable"}))
    with service.client() as client:
        assert client.store("s").about() == client.store("s").about()
    assert len(service.requests) == 1


def test_a_client_without_a_cache_keeps_nothing():
    service = Service(good(etag='"1"'), good(etag='"1"'))
    with service.client(cache_bytes=0) as client:
        client.store("s").about()
        client.store("s").about()
    assert "if-none-match" not in service.requests[1].headers


def test_the_cache_holds_at_most_its_bytes():
    kept = KeptAnswers(250)
    requests = [httpx.Request("GET", f"http://x/{number}") for number in range(4)]

    def held():
        return [number for number, request in enumerate(requests) if kept.get(request) is not None]

    def put(number, size):
        kept.put(requests[number], httpx.Response(200, headers={"etag": '"1"'}, content=b"x" * size))

    for number in range(3):
        put(number, 100)
    assert held() == [1, 2]
    kept.get(requests[1])
    put(3, 100)
    assert held() == [1, 3]
    put(3, 251)
    assert held() == [1, 3]
    put(3, 150)
    assert held() == [1, 3]
    put(3, 151)
    assert held() == [3]
