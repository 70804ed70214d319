"""ASGI middleware around everything: hosts, foreign pages, the size of bodies, HEAD, and headers that protect pages."""

import re
from collections import Counter
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..telemetry import CLIENT, client_of
from .origins import Hosts, host_name, is_foreign
from .problems import problem

BODY_BYTES = 4 << 20
"""A vector of 65,536 numbers is at most 2 MiB of JSON."""
UPLOAD_BYTES = 20 << 20
"""Of an image that is sent to the model."""
_FORM_BYTES = 64 << 10
"""What a form has around its file."""
_UPLOADS = re.compile(r"/api/v1/stores/[^/]+/(neighbors/upload|live/maps)/?|/stores/[^/]+/neighbors/?")
_LIVE = re.compile(
    r"/api/v1/stores/[^/]+/(images/[^/]+/(maps/|neighbors-of-region)|layers/.+/filters(/|$)|live/|neighbors/upload)"
)
"""What makes the model run."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
HELD_BYTES = 128 << 20
"""Of all bodies that are being received or answered; one client may have half of it."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


TooLarge = Callable[[Request, str], Response]
"""From a request and what is too large about it."""


class Guard:
    """Pure ASGI, so that nothing is buffered and no task is started for a request.

    hosts: the names that requests may be addressed to, None for any. too_large: makes the response to a request with
    too large a body, which may come from a form of a page.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts | None, too_large: TooLarge) -> None:
        self.app = app
        self.hosts = hosts
        self.too_large = too_large
        self.held: Counter[str] = Counter()
        """Bytes of bodies now, by client."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        guarded = _with_headers(send)
        uploads = scope["method"] != "GET" and _UPLOADS.fullmatch(scope["path"])
        limit = UPLOAD_BYTES + _FORM_BYTES if uploads else BODY_BYTES
        refusal = self._refusal(scope, limit)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        if scope["method"] == "HEAD":  # the server leaves out the body
            scope = {**scope, "method": "GET"}
        client = client_of(scope)
        body = _Body(self, receive, limit, client)
        token = CLIENT.set(client)
        try:
            await self.app(scope, body.receive, guarded)
        finally:
            CLIENT.reset(token)
            if body.seen:
                self.held[client] -= body.seen
                if not self.held[client]:
                    del self.held[client]

    def _refusal(self, scope: Scope, limit: int) -> ASGIApp | None:
        named: list[str] = []
        length = "0"
        for name, value in scope["headers"]:
            if name == b"host":
                named.append(value.decode("latin-1"))
            elif name == b"content-length":
                length = value.decode("latin-1")
        if len(named) > 1:  # RFC 9112 §3.2: who is in between may read the other one
            return problem(400, "host", "Two hosts", "a request names one host")
        host = host_name(named[0]) if named else None
        if host is None and (named or scope["http_version"] != "1.0"):
            return problem(400, "host", "No host", "a request names a host: a name or an address, and a port")
        if self.hosts is not None and (host is None or not self.hosts.allows(host)):
            allowed = ", ".join(sorted(self.hosts.names))
            told = f"this service answers as {allowed}, not as {(host or '')[:200]}; --allowed-host NAME adds a name"
            return problem(403, "host", "Not this host", told)
        acts = scope["method"] not in _READS or _LIVE.match(scope["path"])
        if acts and _is_foreign(Headers(scope=scope)):
            told = "a page of another origin may not make this service act: open the service's own pages"
            return problem(403, "foreign-page", "A foreign page", told)
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > limit:
            return self.too_large(Request(scope), _too_large(limit))
        return None


class _Body:
    """Counts one request's body, also where its length was not said. seen: bytes until now."""

    def __init__(self, guard: Guard, receive: Receive, limit: int, client: str) -> None:
        self._guard, self._receive, self._limit, self._client = guard, receive, limit, client
        self.seen = 0

    async def receive(self) -> Message:
        """Return the next message. Raises HTTPException where the body, or all bodies together, are too large."""
        message = await self._receive()
        size = len(message.get("body", b""))
        if not size:
            return message
        self.seen += size
        held = self._guard.held
        held[self._client] += size
        if self.seen > self._limit:
            raise HTTPException(413, _too_large(self._limit))
        if held[self._client] > HELD_BYTES // 2 or held.total() > HELD_BYTES:
            raise HTTPException(
                503, "too many bodies are being received; try again soon", headers={"Retry-After": "2"}
            )
        return message


def _is_foreign(headers: Headers) -> bool:
    return is_foreign(headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site"))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name for name, _ in headers}
            message["headers"] = headers + [header for header in _RAW if header[0] not in there]
        await send(message)

    return sending


def _too_large(limit: int) -> str:
    return f"a request's body is at most {limit:,} bytes here"
