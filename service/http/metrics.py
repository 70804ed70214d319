"""/metrics, for Prometheus: what the service has done since it started. One registry for each app.

Labels hold route templates, never addresses, so the number of series is bounded by the routes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ...common.errors import UnitscopeError
from ..stores.registry import Registry
from ..telemetry import OTHER
from .openapi import problems
from .responses import RELEASE

PATH = "/metrics"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_DOWN = ("off", "dead")

router = APIRouter()


class LiveStatus(Protocol):
    """What is known of the model worker. state: `off`, `dead`, or one in which it can be asked.

    The numbers count since the service began, but for `waiting`: requests that have no answer yet.
    """

    @property
    def state(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    @property
    def answered(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def restarts(self) -> int: ...


class Metrics:
    """The metrics of one app. Those of the stores' caches and of the model worker are read when they are asked for.

    stores: the app's, none where only requests are counted. refused: connections that were, by why.
    """

    def __init__(self, stores: Registry | None = None, refused: Mapping[str, int] | None = None) -> None:
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        Gauge("unitscope_info", "1; the release in its label", ["release"], registry=own).labels(RELEASE).set(
            1
        )
        self._seconds = Histogram(
            "unitscope_request_seconds",
            "From a request to the end of its answer",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=own,
        )
        self.in_flight = Gauge("unitscope_requests_in_flight", "Requests being answered", registry=own)
        searches = Counter("unitscope_searches", "Searches for neighbours", ["kind"], registry=own)
        self.searches = {kind: searches.labels(kind) for kind in ("exact", "ann")}
        self._live = _Live()
        own.register(self._live)
        if stores is not None:
            own.register(_Caches(stores))
        if refused is not None:
            own.register(_Refused(refused))
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self.running, self.last_answer = 0, float("-inf")
        """Requests without an answer; when (`time.monotonic`) the last one ended. The warm-up makes way for them."""

    def watch_live(self, status: Callable[[], LiveStatus]) -> None:
        """Watch the model worker. status: what is known of the model worker now."""
        self._live.status = status

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method if method in METHODS else OTHER, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*key)
        child.observe(seconds)


class _Refused(Collector):
    """Connections that were closed because their client sent too much, or too slowly, by the reason."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Return them as they are now."""
        family = CounterMetricFamily(
            "unitscope_refused_connections", "Connections closed for what their client did", labels=["reason"]
        )
        for reason, count in sorted(self._counts.items()):
            family.add_metric([reason], count)
        yield family


class _Live(Collector):
    """The model worker's metrics; all zero where nobody watches one."""

    def __init__(self) -> None:
        self.status: Callable[[], LiveStatus] | None = None

    def collect(self) -> Iterator[Metric]:
        """Return them as the worker is now."""
        now = None if self.status is None else self.status()
        up = now is not None and now.state not in _DOWN
        yield GaugeMetricFamily("unitscope_live_up", "Whether the model worker can be asked", int(up))
        waiting = now.waiting if now else 0
        yield GaugeMetricFamily("unitscope_live_queue", "Requests that wait for the model worker", waiting)
        restarts = now.restarts if now else 0
        yield CounterMetricFamily("unitscope_live_restarts", "Model workers started after one died", restarts)
        requests = CounterMetricFamily(
            "unitscope_live_requests", "Requests to the model worker", labels=["result"]
        )
        requests.add_metric(["answered"], now.answered if now else 0)
        requests.add_metric(["failed"], now.failed if now else 0)
        yield requests


class _Caches(Collector):
    """How often the caches of the stores were read, and with what result: since a store was opened, so from 0 again
    when it is replaced.
    """

    def __init__(self, stores: Registry) -> None:
        self._stores = stores

    def collect(self) -> Iterator[Metric]:
        """Return them as the stores are now; one that cannot be read has none."""
        reads = CounterMetricFamily(
            "unitscope_cache_reads", "Reads through the caches of stores", labels=["store", "cache", "result"]
        )
        for name in self._stores.names():
            with suppress(UnitscopeError):
                served = self._stores.get(name).value
                own = {"facts": served.analysis.reads, "answers": served.answers.reads}
                caches = served.store.cache_reads() | own
                for cache, (hits, misses) in caches.items():
                    reads.add_metric([name, cache, "hit"], hits)
                    reads.add_metric([name, cache, "miss"], misses)
        yield reads


@router.get(PATH, response_class=PlainTextResponse, responses=problems(403))
def metrics(request: Request) -> Response:
    """Return what the service has done since it started, for Prometheus."""
    kept: Metrics = request.app.state.metrics
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(kept.registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})
