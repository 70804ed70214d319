"""Logs: one line for each request, with an id that the answer tells; failures with their traceback."""

import json
import logging
import re
import subprocess
import sys

import httpx
import pytest
from unitscope.service.http import logs

API = "/api/v1/stores/store"

SERVE = """
import sys
from unitscope.service import server
from unitscope.service.queries import stores as ask
def fail(served): raise ZeroDivisionError("a bug")
ask.layers = fail
server.serve([sys.argv[1]], port=0, log=sys.argv[2])
"""


@pytest.fixture
def lines(caplog):
    """The fields of the lines that are written for requests in this process."""
    caplog.set_level(logging.INFO, logs.REQUESTS.name)
    return lambda: [record.unitscope for record in caplog.records if record.name == logs.REQUESTS.name]


def test_a_request_is_a_line(client, lines):
    response = client.get(f"{API}/neighbors?image=1&exact=true")
    (line,) = lines()
    assert line.pop("ms") > 0
    assert line == {
        "request": response.headers["x-request-id"],
        "method": "GET",
        "route": "/api/v1/stores/{store}/neighbors",
        "path": f"{API}/neighbors",
        "status": 200,
        "search": "exact",
    }


@pytest.mark.parametrize("path", ["/livez", "/nothing", f"{API}/layers/nope/units", "/static/style.css"])
def test_every_answer_tells_its_id(client, lines, path):
    first, second = client.get(path), client.get(path)
    ids = [line["request"] for line in lines()]
    assert ids == [response.headers["x-request-id"] for response in (first, second)]
    assert len(set(ids)) == 2


def test_a_sane_id_is_taken_over(client, lines):
    response = client.get("/livez", headers={"x-request-id": "trace-1.2:3/=+@_"})
    assert response.headers["x-request-id"] == lines()[0]["request"] == "trace-1.2:3/=+@_"


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "<b>", "ä".encode(), '{"a":1}', "a\tb"])
def test_any_other_id_is_not(client, given):
    response = client.get("/livez", headers={"x-request-id": given})
    assert re.fullmatch("[0-9a-f]{16}", response.headers["x-request-id"])


def test_a_failure_has_the_id_of_its_answer(client, caplog, monkeypatch):
    from unitscope.service.queries import stores as ask

    def fail(*_args):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(ask, "layers", fail)
    response = client.get(f"{API}/layers")
    name = response.headers["x-request-id"]
    (record,) = (one for one in caplog.records if one.name == logs.REQUESTS.name)
    assert (record.levelname, record.unitscope["request"]) == ("ERROR", name)
    assert record.exc_info[0] is ZeroDivisionError
    assert name in response.json()["detail"]
    assert "secret" not in response.text
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.fixture
def written(made):
    """What a service of its own process writes on stderr while it is asked, by the form of its log."""

    def written(form):
        command = [sys.executable, "-P", "-c", SERVE, made.url, form]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        first = process.stderr.readline()
        try:
            url = re.search(r"http://[\d.:]+", first)[0]
            with httpx.Client(base_url=url) as client:
                client.get("/livez", headers={"x-request-id": "one"})
                client.get("/a%0Ab%20c", headers={"x-request-id": "two"})
                client.get(f"{API}/layers", headers={"x-request-id": "three"})
        finally:
            process.terminate()
            rest = process.communicate(timeout=20)[1]
        return first, rest

    return written


def test_a_log_as_json_is_json_alone(written):
    first, rest = written("json")
    started, *lines = [json.loads(line) for line in (first + rest).splitlines()]
    assert started["message"] == "serving"
    assert [line["request"] for line in lines] == ["one", "two", "three"]
    assert [line["status"] for line in lines] == [200, 404, 500]
    assert [line["level"] for line in lines] == ["info", "info", "error"]
    assert lines[1]["path"] == "/a\nb c"
    assert "ZeroDivisionError: a bug" in lines[2]["traceback"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"]) for line in lines)


def test_a_log_as_text_has_a_line_for_each_request(written):
    _, rest = written("text")
    lines = [line for line in rest.splitlines() if "request=" in line]
    assert len(lines) == 3
    assert "request=two" in lines[1] and "path=/a%0Ab%20c" in lines[1]
    assert rest.count("ZeroDivisionError: a bug") == 1


def test_without_a_log_only_failures_are_written(written):
    _, rest = written("off")
    assert [line.count("request=three") for line in rest.splitlines() if "request=" in line] == [1]
    assert "request=one" not in rest
    assert rest.count("ZeroDivisionError: a bug") == 1
