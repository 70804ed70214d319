"""Limits on connections: the size and time of headers, the time of bodies and of reading answers, and their number.

uvicorn has none of these: a header without end would fill the memory, and half a request would stay for ever. A refused
connection gets a problem+json where it may still be read, and is closed; nothing of it is written to the log.
"""

import asyncio
import json
from collections import Counter
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ..errors import MEDIA_TYPE, PREFIX

HEAD_BYTES = 64 << 10
"""Of a request's first line and headers together."""
HEADERS = 100
"""Headers of a request."""
HEAD_SECONDS = 10.0
"""From a connection's beginning, or a request's first byte, to the end of its headers."""
BODY_IDLE_SECONDS = 10.0
"""Between two pieces of a body."""
BODY_SECONDS = 120.0
"""For a whole body."""
UNREAD_SECONDS = 30.0
"""While a client takes nothing of an answer that waits for it."""
CONNECTIONS = 512
"""Open at a time. Where more come, those go first whose address has the most, and of these the longest waiting."""
LOOK_SECONDS = 1.0
"""How often the times are looked at."""
CLOSE_SECONDS = 2.0
"""How long a refused connection's further bytes are thrown away, so that its client can read why."""


class Connections:
    """All open connections of one service, and why connections were refused."""

    def __init__(self) -> None:
        self.open: dict[LimitedProtocol, None] = {}
        self.refused: Counter[str] = Counter()
        self._look: asyncio.TimerHandle | None = None

    def add(self, connection: "LimitedProtocol") -> None:
        """Take one in; where there are too many, one that waits for its client goes, of the address with the most."""
        self.open[connection] = None
        if self._look is None:
            self._look = connection.loop.call_later(LOOK_SECONDS, self._check, connection.loop)
        if len(self.open) > CONNECTIONS:
            waiting = (one for one in self.open if one is not connection and one.waits_for_client)
            counts = Counter(one.address for one in self.open)
            least_active = min(waiting, key=lambda one: (-counts[one.address], one.since), default=connection)
            least_active.refuse(
                503, "busy", f"this service has {CONNECTIONS} connections open; try again soon"
            )

    def remove(self, connection: "LimitedProtocol") -> None:
        """Forget a closed one."""
        self.open.pop(connection, None)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self.open):
            connection.check_time(now)
        self._look = loop.call_later(LOOK_SECONDS, self._check, loop) if self.open else None


class LimitedProtocol(HttpToolsProtocol):
    """One connection. since: when its client was last heard of, or began what it is in; of the loop's clock."""

    kept: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.since = self._begun = self.loop.time()
        self._in_head, self._head_bytes = True, 0
        self._in_body = False
        self._loose_bytes = 0
        """Since the last byte of a body: of chunk extensions and trailers."""
        self._unread_since: float | None = None
        self._refusal: tuple[int, str, str] | None = None
        self._closing = False

    @property
    def _current(self) -> RequestResponseCycle | None:
        """The request that came last; None before the first."""
        return self.cycle

    @property
    def address(self) -> str:
        """The client's, without its port."""
        return str(self.client[0]) if self.client else ""

    @property
    def waits_for_client(self) -> bool:
        """Whether the client is to send something, or to read, before anything goes on here."""
        cycle = self._current
        answered = cycle is None or cycle.response_complete
        return (answered and self._in_head) or self._in_body or self._unread_since is not None

    # What asyncio calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.kept.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.kept.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self.since = self.loop.time()
        if self._in_head:
            if not self._head_bytes:
                self._begun = self.since
            room = HEAD_BYTES - self._head_bytes
            head, data = data[:room], data[room:]
            self._head_bytes += len(head)
            super().data_received(head)
            if self._in_head and self._head_bytes >= HEAD_BYTES and not self._closing:
                self.refuse(431, "headers", f"the headers of a request are at most {HEAD_BYTES:,} bytes here")
        if data and not self._closing and not self.transport.is_closing():
            self._loose_bytes += len(data)
            super().data_received(data)
            if self._in_body and self._loose_bytes > HEAD_BYTES and not self._closing:
                self.refuse(431, "headers", f"what is beside a body is at most {HEAD_BYTES:,} bytes here")

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes, self._loose_bytes = False, 0, 0
        self._in_body = True
        self._begun = self.loop.time()
        if len(self.headers) > HEADERS:
            self._stop(431, "headers", f"a request has at most {HEADERS} headers here")
        if not self.url.startswith(b"/") and self.url != b"*":
            self._stop(400, "address", "a request's address begins with a slash here, and names no host")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._loose_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._in_body = True, False
        super().on_message_complete()

    # Refusals

    def check_time(self, now: float) -> None:
        """Refuse a connection whose client takes too long."""
        if self._closing:
            return
        if self._unread_since is not None and now - self._unread_since > UNREAD_SECONDS:
            self._end("unread")
        elif self._in_body and not self.flow.read_paused:
            if now - self.since > BODY_IDLE_SECONDS or now - self._begun > BODY_SECONDS:
                self.refuse(408, "slow", f"a body comes without pauses of {BODY_IDLE_SECONDS:g} s here")
        elif (
            self._in_head and (self._head_bytes or self._current is None) and now - self._begun > HEAD_SECONDS
        ):
            self.refuse(408, "slow", f"the headers of a request come within {HEAD_SECONDS:g} s here")

    def refuse(self, status: int, kind: str, detail: str) -> None:
        """Answer with a problem where no answer has begun, and close the connection."""
        cycle = self._current
        begun = cycle is not None and cycle.response_started and not cycle.response_complete
        if begun or self.transport.is_closing() or self.pipeline:
            self._end(kind)
            return
        if cycle is not None and not cycle.response_complete:  # who waits for the body learns that it ends
            cycle.disconnected = True
            cycle.message_event.set()
        self.kept.refused[kind] += 1
        self._closing = True
        self.transport.write(_answer(status, kind, detail))
        self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def _end(self, kind: str) -> None:
        self.kept.refused[kind] += 1
        self._closing = True
        for cycle in (self._current, *(queued for queued, _ in self.pipeline)):
            if cycle is not None:  # what is still written is thrown away
                cycle.disconnected = True
                cycle.message_event.set()
        self.transport.abort()

    def _stop(self, status: int, kind: str, detail: str) -> None:
        """End the parsing of this request; uvicorn then calls `send_400_response`."""
        self._refusal = status, kind, detail
        raise ValueError(detail)

    def send_400_response(self, msg: str) -> None:
        self.refuse(*(self._refusal or (400, "malformed", "this is not an HTTP request")))


def _answer(status: int, kind: str, detail: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    body = json.dumps(
        {"type": f"{PREFIX}{kind}", "title": phrase, "status": status, "detail": detail}
    ).encode()
    more = "Retry-After: 2\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n{more}"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def limited_protocol(kept: Connections) -> type[LimitedProtocol]:
    """Return the protocol class of one service, for `uvicorn.Config(http=…)`."""
    return type("ServiceProtocol", (LimitedProtocol,), {"kept": kept})
