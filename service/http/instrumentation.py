"""ASGI middleware that sees every request from outside everything else: its id, time, route and outcome.

What happens inside can note what the request did (`searched`): the note goes to the metrics and the log with the rest.
"""

from time import monotonic, perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..telemetry import CURRENT, OTHER, Observed
from . import logs, metrics
from .layer_paths import template
from .metrics import Metrics

_WATCHING = frozenset({metrics.PATH, "/livez", "/readyz"})
"""What asks for these watches the process: nobody waits for what follows."""


_CLIENT_GONE = 499
"""In the log and the metrics only: the client went away before it was answered."""
_PATH_LETTERS = 500


class Observe:
    """Outside everything, what answers failures too. A failure that has its answer goes no further than the log."""

    def __init__(self, app: ASGIApp, kept: Metrics) -> None:
        self.app = app
        self.kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = perf_counter()
        observed = Observed(logs.request_id(scope["headers"]))
        token = CURRENT.set(observed)
        counted, visits = scope["path"] != metrics.PATH, scope["path"] not in _WATCHING
        failure: Exception | None = None
        if counted:
            self.kept.in_flight.inc()
        self.kept.running += visits
        try:
            await self.app(scope, receive, _noting(send, observed))
        except ClientDisconnect:  # nobody is there to be answered, and it is not a failure of the service
            observed.status = _CLIENT_GONE
        except Exception as error:
            failure = error
            if not observed.complete:
                raise  # the server ends the connection
        finally:
            CURRENT.reset(token)
            if visits:
                self.kept.running -= 1
                self.kept.last_answer = monotonic()
            if counted:
                self.kept.in_flight.dec()
                self._done(scope, observed, perf_counter() - start, failure)

    def _done(self, scope: Scope, observed: Observed, seconds: float, failure: Exception | None) -> None:
        self.kept.answered(scope["method"], observed.route, observed.status, seconds)
        if observed.search is not None:
            self.kept.searches[observed.search].inc()
        logs.answered(lambda: _fields(scope, observed, seconds), failure)


def _fields(scope: Scope, observed: Observed, seconds: float) -> dict[str, object]:
    """Return those of the line in the log."""
    search = {} if observed.search is None else {"search": observed.search}
    return {
        "request": observed.id,
        "method": scope["method"][:20],
        "route": observed.route,
        "path": scope["path"][:_PATH_LETTERS],
        "status": observed.status,
        "ms": round(seconds * 1000, 3),
        **search,
    }


def _noting(send: Send, observed: Observed) -> Send:
    """Note the status and the end of the answer, and puts the request's id into it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            observed.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", observed.id.encode())]
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            observed.complete = True

    return sending


class NoteRoute:
    """Innermost, where the scope is the router's own: what is outside may have handed on a copy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            await self.app(scope, receive, send)
        finally:
            observed = CURRENT.get()
            if observed is not None:
                observed.route = _route(scope)


def _route(scope: Scope) -> str:
    """Return the template of the address that was asked for; of a mounted folder of files its own address."""
    path = getattr(scope.get("route"), "path", None)
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return template(path) if path else mounted or OTHER
