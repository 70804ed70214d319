"""/metrics: what was asked is counted, once, under its route; and it costs next to nothing."""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from unitscope.service.http.instrumentation import Observe
from unitscope.service.http.metrics import Metrics
from unitscope.service.http.origins import Hosts

API = "/api/v1/stores/store"
DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "unitscope.json"
MOST_MICROSECONDS = 30


@pytest.fixture
def counted(made, kit):
    """A client of an app of its own, so that nobody else is counted."""
    with kit.client(made.url) as client:
        yield client


def samples(client):
    """{(name, labels): value}."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def requests_in(client):
    """{(method, route, status): requests}."""
    return {
        (labels["method"], labels["route"], labels["status"]): value
        for (name, pairs), value in samples(client).items()
        if name == "unitscope_request_seconds_count"
        for labels in [dict(pairs)]
    }


def test_requests_are_counted_by_route_and_status(counted):
    etag = counted.get(f"{API}/layers/features.0/units/3").headers["etag"]
    counted.get(f"{API}/layers/features.0/units/4")
    counted.get(f"{API}/layers/features.0/units/3", headers={"if-none-match": etag})
    counted.get(f"{API}/layers/nope/units/3")
    counted.head(f"{API}/layers/features.0/units/3")
    counted.post(f"{API}/layers/features.0/units/3")
    counted.get("/nothing/there")
    counted.get("/static/style.css")
    counted.get("/stores/store")
    counted.request("BREW", "/livez")
    unit = "/api/v1/stores/{store}/layers/{layer}/units/{unit}"
    assert requests_in(counted) == {
        ("GET", unit, "200"): 2,
        ("GET", unit, "304"): 1,
        ("GET", unit, "404"): 1,
        ("HEAD", unit, "200"): 1,
        ("POST", unit, "405"): 1,
        ("GET", "other", "404"): 1,
        ("GET", "/static", "200"): 1,
        ("GET", "/stores/{store}", "200"): 1,
        ("other", "/livez", "405"): 1,
    }


def test_the_metrics_do_not_count_themselves(counted):
    counted.get("/livez")
    for _ in range(3):
        assert requests_in(counted) == {("GET", "/livez", "200"): 1}
    assert samples(counted)["unitscope_requests_in_flight", ()] == 0


def test_refused_and_failed_requests_are_counted(made, kit, monkeypatch):
    from unitscope.service.queries import stores as ask

    def fail(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(ask, "layers", fail)
    with kit.client(made.url, hosts=Hosts(frozenset({"testserver"}))) as client:
        assert client.get(f"{API}/layers").status_code == 500
        assert client.get("/livez", headers={"host": "evil.example"}).status_code == 403
        assert requests_in(client) == {
            ("GET", "/api/v1/stores/{store}/layers", "500"): 1,
            ("GET", "other", "403"): 1,
        }
        assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 403


def test_searches_are_counted_by_kind(counted):
    for exact in ("true", "true", "false"):
        counted.get(f"{API}/neighbors?image=1&exact={exact}")  # the second answer is the first, kept
    counted.get("/stores/store/neighbors?image=1")
    counted.get(f"{API}/neighbors?image=100000")
    kinds = {
        dict(labels)["kind"]: value
        for (name, labels), value in samples(counted).items()
        if name == "unitscope_searches_total"
    }
    assert sum(kinds.values()) == 3
    assert kinds["exact"] >= 2


def test_each_app_has_its_own(counted, made, kit):
    counted.get("/livez")
    with kit.client(made.url) as other:
        assert requests_in(other) == {}


def test_the_model_worker_is_read_when_it_is_asked_for(counted):
    @dataclass
    class Status:
        state: str = "ready"
        waiting: int = 0
        answered: int = 0
        failed: int = 0
        restarts: int = 0

    def told():
        found = {
            name: value for (name, _), value in samples(counted).items() if name.startswith("unitscope_live")
        }
        return [found[f"unitscope_live_{name}"] for name in ("up", "queue", "restarts_total")]

    status = Status()
    counted.app.state.metrics.watch_live(lambda: status)
    assert told() == [1, 0, 0]
    status.waiting, status.restarts, status.state = 3, 2, "dead"
    assert told() == [0, 3, 2]


def test_the_reads_of_caches_are_counted(counted):
    def reads(result):
        return sum(
            value
            for (name, labels), value in samples(counted).items()
            if name == "unitscope_cache_reads_total" and dict(labels)["result"] == result
        )

    path = f"{API}/layers/features.0/units/5/patches?where=loss+%3E+0.25"
    counted.get(path)
    first, missed = reads("hit"), reads("miss")
    assert missed > 0
    counted.get(path)
    assert reads("miss") == missed
    assert reads("hit") > first


def test_what_prometheus_asks_for_is_what_it_gets(counted):
    plain = counted.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert plain.headers["cache-control"] == "no-store"
    opened = counted.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert "unitscope_searches" in {family.name for family in open_metrics(opened.text)}


def test_a_request_costs_at_most_30_microseconds():
    async def answers(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        pass

    observed = Observe(answers, Metrics())

    async def seconds(app, requests=2000):
        start = time.perf_counter()
        for number in range(requests):
            scope = {"type": "http", "method": "GET", "path": f"/{number}", "headers": [(b"host", b"a")]}
            await app(scope, None, send)
        return (time.perf_counter() - start) / requests

    async def cost():
        return min([await seconds(observed) - await seconds(answers) for _ in range(7)])

    assert asyncio.run(cost()) * 1e6 <= MOST_MICROSECONDS


def test_the_dashboard_shows_only_what_there_is(counted):
    """Every metric of the dashboard is in the answer of a service that was asked once."""
    counted.get(f"{API}/neighbors?image=1")
    there = {name for name, _ in samples(counted)} | {"up"}
    queries = [
        target["expr"]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel.get("targets", [])
    ]
    asked = {name for query in queries for name in re.findall(r"\b(?:unitscope|process)_\w+|\bup\b", query)}
    assert len(queries) >= 8
    assert asked <= there
    for name in ("request_seconds_bucket", "searches_total", "live_queue", "live_restarts_total"):
        assert f"unitscope_{name}" in asked


def test_what_is_deployed_fits_together():
    compose = yaml.safe_load((DEPLOY / "compose.metrics.yaml").read_text())
    mounted = {
        volume.split(":")[1]: DEPLOY / volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    }
    assert all(path.exists() for path in mounted.values())
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    assert [job["metrics_path"] for job in scraped] == ["/metrics"]
    (target,) = scraped[0]["static_configs"][0]["targets"]
    assert target == "serve:8000"
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "unitscope.yaml").read_text())["providers"]
    assert mounted[provider["options"]["path"]] == DASHBOARD.parent
    used = {
        panel["datasource"]["uid"]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        if "targets" in panel
    }
    assert used == {source["uid"]}
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
