"""ASGI middleware around everything: hosts, the size of bodies, HEAD, and the headers that keep pages to themselves."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import problem, respond

BODY_BYTES = 4 << 20
"""A vector of 65,536 numbers is at most 2 MiB of JSON."""
UPLOAD_BYTES = 20 << 20
"""Of an image that is sent to the model."""
_FORM_BYTES = 64 << 10
"""What a form has around its file."""
_UPLOADS = re.compile(r"/api/v1/stores/[^/]+/(neighbors/upload|live/maps)/?|/stores/[^/]+/neighbors/?")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

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


class Guard:
    """Pure ASGI, so that nothing is buffered and no task is started for a request.

    hosts: the names that requests may be addressed to, None for any. A service on the loopback address has no login,
    and a foreign page whose name resolves to it (DNS rebinding) must not read the dataset through the browser.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None = None) -> None:
        self.app = app
        self.hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
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
        await self.app(scope, _limited(receive, limit), guarded)

    def _refusal(self, scope: Scope, limit: int) -> ASGIApp | None:
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        if len(named) > 1:  # RFC 9112 §3.2: who is in between may read the other one
            return problem(400, "host", "Two hosts", "a request names one host")
        host = _name(named[0] if named else "")
        if self.hosts is not None and host not in self.hosts:
            allowed = ", ".join(sorted(self.hosts))
            told = (
                f"this service answers as {allowed}, not as {host[:200]!r}; `unitscope serve --host` opens it"
            )
            return problem(403, "host", "Not this host", told)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > limit:
            return respond(Request(scope), 413, "too-large", "Too large", _too_large(limit))
        return None


def _limited(receive: Receive, limit: int) -> Receive:
    """Counts the body, also where its length was not said."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name for name, _ in headers}
            message["headers"] = headers + [header for header in _RAW if header[0] not in there]
        await send(message)

    return sending


def _name(host: str) -> str:
    """Without the port."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].lower()


def _too_large(limit: int) -> str:
    return f"a request's body is at most {limit:,} bytes here"
