"""What a service does when it starts: after it, first visits read nothing that others have read."""

import asyncio
import re
import time

import pytest
from pydantic import TypeAdapter
from unitscope.service.http.metrics import Metrics
from unitscope.service.warm_up import _addresses, make_way

API = "/api/v1/stores/store"


def misses(client):
    """How often something was read that was not in memory, by cache."""
    found = re.findall(r'cache="(\w+)",result="miss",store="store"} ([\d.]+)', client.get("/metrics").text)
    return {cache: float(count) for cache, count in found}


@pytest.fixture(scope="module")
def warmed(made, kit):
    with kit.client(made.url, warm=True) as client:
        end = time.monotonic() + 30
        while not client.app.state.warming.done():
            assert time.monotonic() < end
            time.sleep(0.02)
        assert client.app.state.warming.exception() is None
        yield client


def test_it_asks_for_what_there_is(warmed, made):
    served = warmed.app.state.registry.get("store").value
    asked = list(_addresses(served))
    assert len(set(asked)) == len(asked) > 12
    assert [path for path in asked if warmed.get(path).status_code != 200] == []


def test_it_is_in_no_metrics(made, kit):
    with kit.client(made.url, warm=True) as client:
        while not client.app.state.warming.done():
            time.sleep(0.02)
        assert "unitscope_request_seconds_count" not in client.get("/metrics").text


def test_a_first_visit_opens_no_file(warmed):
    before = misses(warmed)
    assert before["files"] > 0
    for path in (
        "/stores/store",
        "/stores/store/layers/features.0",
        "/stores/store/units/features.0/2",
        "/stores/store/images/9",
        "/stores/store/classes",
        f"{API}/layers/features.0/units/2/patches",
        f"{API}/neighbors?image=3",
    ):
        assert warmed.get(path).status_code == 200
    assert misses(warmed)["files"] == before["files"]


def test_a_store_that_cannot_be_read_hinders_nothing(fresh, kit):
    (fresh.folder.local_path("units.parquet")).unlink()
    with kit.client(fresh.url, warm=True) as client:
        while not client.app.state.warming.done():
            time.sleep(0.02)
        assert client.app.state.warming.exception() is None
        assert client.get("/readyz").status_code == 200


def seconds_of_making_way(**found):
    metrics = Metrics()
    for name, value in found.items():
        setattr(metrics, name, value)
    began = time.monotonic()
    asyncio.run(make_way(metrics))
    return time.monotonic() - began


def test_it_makes_way_for_visitors_but_not_for_ever():
    assert seconds_of_making_way() < 0.2
    assert seconds_of_making_way(last_answer=time.monotonic() - 9) < 0.2
    assert (
        seconds_of_making_way(last_answer=time.monotonic()) >= 0.2
    )  # a browser asks for what the page shows
    assert seconds_of_making_way(running=1) >= 1.9


@pytest.mark.parametrize("path", ["/stores/store", "/nothing", "/static/style.css"])
def test_every_visit_is_one_to_make_way_for(made, kit, path):
    with kit.client(made.url) as client:
        before = time.monotonic()
        client.get(path)
        metrics = client.app.state.metrics
        assert metrics.running == 0
        assert before < metrics.last_answer <= time.monotonic()


def test_what_watches_the_process_is_no_visitor(made, kit):
    with kit.client(made.url) as client:
        for path in ("/livez", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
        assert client.app.state.metrics.last_answer == float("-inf")


def test_the_first_request_builds_no_validators(made, kit, monkeypatch):
    """FastAPI makes those of an included router again when it first compares a path with its routes."""
    with kit.client(made.url) as client:
        made_of = []
        make = TypeAdapter.__init__
        monkeypatch.setattr(
            TypeAdapter,
            "__init__",
            lambda self, *args, **kept: made_of.append(args) or make(self, *args, **kept),
        )
        for path in ("/livez", "/stores/store", "/stores/store/images/9"):
            assert client.get(path).status_code == 200
        assert made_of == []
        TypeAdapter(int)
        assert made_of == [(int,)]
