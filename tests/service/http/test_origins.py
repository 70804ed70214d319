"""Hosts that a service answers as, and pages that may not make it act."""

import socket

import pytest
from fastapi.testclient import TestClient
from unitscope.service.error_pages import too_large
from unitscope.service.http.origins import Hosts, host_name, is_foreign
from unitscope.service.http.security import Guard


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"), ("LOCALHOST:8000", "localhost"), ("localhost.", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"), ("[::1]:8000", "[::1]"), ("my-host.example_1", "my-host.example_1"),
        ("", None), ("[::1]evil", None), ("127.0.0.1@evil.com", None), ("a b", None), ("a:99999", None),
        ("a:80:80", None), ("[zz]", None), ("a/b", None), ("a\tb", None), ("é.example", None), (".", None),
    ],
)  # fmt: skip
def test_names_of_hosts(header, name):
    assert host_name(header) == name


def test_a_service_of_one_address_answers_as_it_alone():
    hosts = Hosts.of("127.0.0.1", ["Audit.Example."])
    assert all(map(hosts.allows, ("localhost", "127.0.0.1", "[::1]", "audit.example")))
    assert not any(map(hosts.allows, ("evil.example", "10.0.0.1", "127.0.0.1.evil.example")))


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::"])
def test_a_service_of_all_addresses_knows_no_foreign_names(everywhere):
    hosts = Hosts.of(everywhere)
    assert all(map(hosts.allows, ("localhost", "10.1.2.3", "[fe80::1]", socket.gethostname().lower())))
    assert not hosts.allows("rebinding.example")
    assert Hosts.of(everywhere, ["rebinding.example"]).allows("rebinding.example")


@pytest.mark.parametrize(
    ("origin", "site", "foreign"),
    [
        (None, None, False), ("http://localhost:8000", None, False), ("http://LOCALHOST:8000", "same-origin", False),
        (None, "none", False), ("https://localhost:8000", None, False), ("http://evil.example", None, True),
        ("null", None, True), ("http://localhost:9", None, True), (None, "cross-site", True), (None, "same-site", True),
        ("http://[", None, True),
    ],
)  # fmt: skip
def test_foreign_pages(origin, site, foreign):
    assert is_foreign("localhost:8000", origin, site) is foreign


async def echo(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/api/v1/stores/s/neighbors", {}, 200),
        ("POST", "/api/v1/stores/s/neighbors", {"origin": "http://localhost"}, 200),
        ("POST", "/api/v1/stores/s/neighbors", {"origin": "http://evil.example"}, 403),
        ("POST", "/stores/s/neighbors", {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/stores/s/neighbors", {"origin": "null"}, 403),
        ("GET", "/stores/s/units/a/1", {"sec-fetch-site": "cross-site"}, 200),
        ("GET", "/api/v1/stores/s/images/1/maps/features.0", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", "/api/v1/stores/s/images/1/maps/features.0", {"sec-fetch-site": "same-origin"}, 200),
        ("GET", "/api/v1/stores/s/images/1/neighbors-of-region", {"origin": "http://evil.example"}, 403),
        ("GET", "/api/v1/stores/s/layers/a.b/filters", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", "/api/v1/stores/s/images/1/thumb", {"sec-fetch-site": "cross-site"}, 200),
        ("GET", "/", {"host": "evil.example"}, 403),
        ("GET", "/", {"host": "localhost@evil.example"}, 400),
    ],
)
def test_who_may_ask(method, path, headers, status):
    client = TestClient(Guard(echo, Hosts.of("127.0.0.1"), too_large), base_url="http://localhost")
    assert client.request(method, path, headers=headers).status_code == status
