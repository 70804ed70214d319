"""/metrics, for Prometheus: what the service has done since it started. One registry for each app.

Labels hold route templates, never addresses, so the number of series is bounded by the routes.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from .answering import RELEASE
from .parameters import problems

PATH = "/metrics"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""The method of a request that has an unknown one, and the route of one that has none."""
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

router = APIRouter()


class Metrics:
    """The metrics of one app. The live model's are set by whoever runs its worker; the others here.

    live_queue: requests that wait for the model worker or are in it. live_restarts: of the worker. live_up: 1 while
    it can be asked. live_seconds: from the moment that a request is queued until its answer is there.
    """

    def __init__(self) -> None:
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
        self.live_queue = Gauge("unitscope_live_queue", "Requests at the model worker", registry=own)
        self.live_up = Gauge("unitscope_live_up", "Whether the model worker can be asked", registry=own)
        self.live_restarts = Counter(
            "unitscope_live_restarts", "How often the model worker was started again", registry=own
        )
        self.live_seconds = Histogram(
            "unitscope_live_seconds", "A request's time at the model worker", buckets=_SECONDS, registry=own
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        key = (method if method in METHODS else OTHER, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*key)
        child.observe(seconds)


@router.get(PATH, response_class=PlainTextResponse, responses=problems(403))
def metrics(request: Request) -> Response:
    """What the service has done since it started, for Prometheus."""
    kept: Metrics = request.app.state.metrics
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(kept.registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})
