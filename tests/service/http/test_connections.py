"""Limits on connections: what is cut off, what it is told, and that others are answered meanwhile."""

import asyncio
import json
import logging
import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest
import uvicorn
from unitscope.service.http import connections
from unitscope.service.http.connections import Connections, limited_protocol

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


async def app(scope, receive, send):
    """Reads the body; answers with as many bytes as the path says."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    size = int(scope["path"][1:] or 2)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"x" * size})


@pytest.fixture
def served(monkeypatch):
    """A server with short times: gives a function that connects, and what was refused."""
    for name, value in {
        "HEAD_SECONDS": 0.6, "BODY_IDLE_SECONDS": 0.6, "BODY_SECONDS": 2.0, "UNREAD_SECONDS": 0.8,
        "LOOK_SECONDS": 0.1, "CLOSE_SECONDS": 0.3, "CONNECTIONS": 20,
    }.items():  # fmt: skip
        monkeypatch.setattr(connections, name, value)
    kept = Connections()
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    config = uvicorn.Config(app, http=limited_protocol(kept), ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    address = listener.getsockname()

    def connect(data=b""):
        one = socket.create_connection(address, timeout=5)
        one.sendall(data)
        return one

    yield connect, kept
    server.should_exit = True
    thread.join(5)
    listener.close()


def answer(one):
    """All that comes until the end of the connection; b"" where it was reset."""
    got = b""
    try:
        while piece := one.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def status(one):
    with closing(one):
        return int(answer(one).split(b" ", 2)[1])


@contextmanager
def taking(least, most):
    begun = time.monotonic()
    yield
    assert least <= time.monotonic() - begun <= most


def test_an_ordinary_request_is_answered(served):
    connect, kept = served
    assert status(connect(HEAD + b"Connection: close\r\n\r\n")) == 200
    assert not kept.refused


def test_requests_one_after_the_other_are_answered(served):
    connect, _ = served
    with closing(connect(5 * (HEAD + b"\r\n") + HEAD + b"Connection: close\r\n\r\n")) as one:
        assert answer(one).count(b"200 OK") == 6


@pytest.mark.parametrize(
    ("sent", "refused"),
    [
        (HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (HEAD + b"X: y\r\n" * 120 + b"\r\n", 431),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET http://other.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    ],
)
def test_what_is_too_large_or_malformed_is_told_why(served, sent, refused):
    connect, kept = served
    with closing(connect(sent)) as one:
        head, _, body = answer(one).partition(b"\r\n\r\n")
    assert int(head.split(b" ", 2)[1]) == refused
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == refused
    assert sum(kept.refused.values()) == 1


@pytest.mark.parametrize("beside", [b"5;" + b"e" * 300_000, b"0\r\nX: " + b"t" * 300_000])
def test_what_is_beside_a_body_is_limited(served, beside):
    connect, kept = served
    one = connect(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    with closing(one), taking(0, 2):
        one.sendall(beside)
        assert answer(one).startswith(b"HTTP/1.1 431 ")
    assert kept.refused == {"headers": 1}


def test_headers_of_just_under_the_limit_are_taken(served):
    connect, _ = served
    assert status(connect(HEAD + b"Connection: close\r\nX: " + b"y" * 60_000 + b"\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "begun",
    [b"", b"GE", HEAD + b"X-A: ", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nabc"],
)
def test_half_requests_end(served, begun):
    connect, kept = served
    with taking(0.4, 3), closing(connect(begun)) as one:
        assert answer(one).startswith(b"HTTP/1.1 408 ")
    assert kept.refused["slow"] == 1


def test_headers_that_trickle_end_too(served):
    connect, _ = served
    one = connect(HEAD + b"X: ")
    with taking(0.4, 3), pytest.raises(OSError):
        while True:
            one.sendall(b"a")
            time.sleep(0.05)


def test_a_body_that_trickles_ends(served):
    connect, kept = served
    one = connect(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
    with taking(1.5, 5), pytest.raises(OSError):
        while True:
            one.sendall(b"a")
            time.sleep(0.05)
    assert kept.refused["slow"] == 1


def test_an_answer_that_nobody_reads_ends(served, caplog):
    connect, kept = served
    with closing(connect(b"GET /80000000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)):
        until = time.monotonic() + 5
        while not kept.refused and time.monotonic() < until:
            time.sleep(0.05)
    assert kept.refused == {"unread": 1}
    assert not caplog.records


def test_too_many_connections_cost_those_that_wait_longest(served):
    connect, kept = served
    waiting = [connect(b"GET /") for _ in range(19)]
    last = [connect(HEAD + b"Connection: close\r\n\r\n") for _ in range(5)]
    assert [status(one) for one in last] == [200] * 5
    assert kept.refused["busy"] <= 5
    for one in waiting:
        one.close()


def test_strangers_do_not_fill_the_log(served, caplog):
    from unitscope.service.http.logs import ignore_malformed_requests

    connect, _ = served
    ignore_malformed_requests()
    try:
        for _ in range(5):
            assert status(connect(b"\x00garbage\r\n\r\n")) == 400
    finally:
        logging.getLogger("uvicorn.error").filters.clear()
    assert not caplog.records
