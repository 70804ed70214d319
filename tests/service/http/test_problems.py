"""No bad input is the service's failure: every error is problem+json under /api and a page elsewhere, never a 5xx."""

import json
import re

import pytest

API = "/api/v1/stores/store"
UNIT = f"{API}/layers/features.0/units/3"
HUGE = "9" * 5000

PATHS = {
    404: [
        "/api",
        "/api/v1",
        "/api/v2/stores",
        "/api/v1/stores/nope",
        "/api/v1/stores/%2e%2e/layers",
        "/api/v1/stores/%00",
        "/api/v1/stores/%ff%fe",
        "/api/v1/stores/a%2Fb",
        f"{API}/nothing",
        f"{API}/layers/a%2Fb/units",
        f"{API}/layers/%2e%2e/units",
        f"{API}/layers/%00/units",
        f"{API}/layers/f%C3%A9%F0%9F%98%80/units",
        f"{API}/layers/features.0/units/40",
        f"{API}/layers/features.0/units/{2**53}/patches",
        f"{API}/images/200",
        f"{API}/images/200/thumb",
        f"{API}/images/70/thumb",
        f"{API}/neighbors?image=200",
        f"{API}/atlases/nope",
        f"{API}/atlases/flat%00/grid",
    ],
    422: [
        f"{API}/images/-1",
        f"{API}/images/{HUGE}",
        f"{API}/images/{2**53 + 1}",
        f"{API}/images/1e3",
        f"{API}/images/%EF%BC%91",
        f"{API}/layers/{'x' * 2001}/units",
        f"{API}/layers/features.0/units/-1",
        f"{API}/layers/features.0/units?cursor=-1",
        f"{API}/layers/features.0/units?limit=0",
        f"{API}/layers/features.0/units?limit=1001",
        f"{UNIT}/patches?k=0",
        f"{UNIT}/patches?k=1001",
        f"{UNIT}/patches/0/picture",
        f"{UNIT}/patches/10/picture",
        f"{API}/images/1/crop",
        f"{API}/images/1/crop?box=",
        f"{API}/images/1/crop?box=1,2,3",
        f"{API}/images/1/crop?box=nan,0,1,1",
        f"{API}/images/1/crop?box=%C2%B2,0,9,9",
        f"{API}/images/1/crop?box=--1,0,9,9",
        f"{API}/images/1/crop?box=5,5,1,1",
        f"{API}/images/1/crop?box=-5,-5,0,0",
        f"{API}/images/1/crop?box=900,900,999,999",
        f"{API}/images/1/crop?box=0,0,9,9&side=99999",
        f"{API}/neighbors",
        f"{API}/neighbors?image=x",
        f"{API}/neighbors?image=1&metric=l1",
        f"{API}/atlases/flat/grid?rows=0",
        f"{API}/atlases/flat/grid?row=-1",
    ],
}


@pytest.mark.parametrize(
    ("status", "path"), [(status, path) for status, paths in PATHS.items() for path in paths]
)
def test_bad_paths_and_numbers(client, status, path):
    is_problem(client.get(path), status)


FILTERS = [
    "(" * 4000,
    "(" * 51 + "correct" + ")" * 51,
    "x" * 4001,
    "label = 5",
    "lable = 'cat'",
    "loss = nan",
    "1 = 1",
    "correct; drop table images",
    "\0",
    "'" * 3999,
    "not " * 900,
    "label = 'cat' and",
    " or ".join(["loss>1"] * 501),
    b"label = '\xed\xa0\x80",
]


@pytest.mark.parametrize("where", FILTERS, ids=lambda where: repr(where[:20]))
def test_bad_filters(client, where):
    is_problem(client.get(f"{UNIT}/patches", params={"where": where}), 422)
    is_problem(client.get(f"{API}/neighbors", params={"image": 1, "where": where}), 422)
    is_page(client.get("/stores/store/units/features.0/3", params={"where": where}), 422)
    is_page(client.get("/stores/store/neighbors", params={"image": 1, "where": where}), 422)


ODD_FILTERS = [
    "not " * 990 + "correct",
    "(" * 50 + "correct" + ")" * 50,
    "label = '" + "a" * 3980 + "'",
    "image_id > 99999999999999999999999999999",
    "loss < -1e308",
    "label = '\U0001f600'",
    "label in (" + ",".join(["'a'"] * 900) + ")",
    " or ".join(["loss>1"] * 390),
]


@pytest.mark.parametrize("where", ODD_FILTERS, ids=lambda where: repr(where[:20]))
def test_odd_filters_that_mean_something(client, where):
    assert client.get(f"{UNIT}/patches", params={"where": where}).status_code == 200


SEVEN = "[1, 2, 3, 4, 5, 6, 7]"
BODIES = {
    "narrow": (422, '{"vector": [1, 2]}'),
    "NaN": (422, '{"vector": [NaN, 1, 1, 1, 1, 1, 1]}'),
    "Infinity": (422, '{"vector": [1, 1, 1, 1, 1, 1, -Infinity]}'),
    "1e400": (422, '{"vector": [1e400, 1, 1, 1, 1, 1, 1]}'),
    "1e37": (422, '{"vector": [1e37, 1, 1, 1, 1, 1, 1]}'),
    "empty": (422, '{"vector": []}'),
    "too wide": (422, json.dumps({"vector": [0.5] * 65_537})),
    "text": (422, '{"vector": "1234567"}'),
    "null": (422, "null"),
    "nothing": (422, ""),
    "half": (422, '{"vector": '),
    "deep": (400, "[" * 100_000),
    "long number": (400, '{"vector": [' + "1" * 5000 + "]}"),
    "not UTF-8": (400, b"\xff\xfe\x00"),
    "k": (422, f'{{"vector": {SEVEN}, "k": 1001}}'),
    "metric": (422, f'{{"vector": {SEVEN}, "metric": "l3"}}'),
    "filter": (422, f'{{"vector": {SEVEN}, "where": "((("}}'),
    "surrogate": (422, f'{{"vector": {SEVEN}, "where": "label = \'\\ud800\'"}}'),
}


@pytest.mark.parametrize("name", BODIES)
def test_bad_vectors(client, name):
    status, body = BODIES[name]
    headers = {"content-type": "application/json"}
    is_problem(client.post(f"{API}/neighbors", content=body, headers=headers), status)


@pytest.mark.parametrize(("name", "place"), [("nothing", "body"), ("half", "body.11"), ("empty", "vector")])
def test_a_bad_body_is_named(client, name, place):
    headers = {"content-type": "application/json"}
    response = client.post(f"{API}/neighbors", content=BODIES[name][1], headers=headers)
    assert response.json()["detail"].startswith(f"{place}: ")


def test_the_largest_numbers_have_finite_distances(client):
    for metric in ("l2", "cosine"):
        response = client.post(f"{API}/neighbors", json={"vector": [1e36] * 7, "metric": metric})
        assert response.status_code == 200
        assert all(one["distance"] is not None for one in response.json()["neighbors"])


def test_large_bodies_are_refused(client):
    headers = {"content-type": "application/json"}
    is_problem(client.post(f"{API}/neighbors", content=b" " * (5 << 20), headers=headers), 413)
    pieces = (b" " * (1 << 20) for _ in range(8))
    is_problem(client.post(f"{API}/neighbors", content=pieces, headers=headers), 413)
    is_problem(client.request("GET", f"{API}/layers", content=b" " * (5 << 20)), 413)


def test_an_image_that_is_too_large_is_refused_on_a_page(client):
    refused = client.post("/stores/store/neighbors", content=b" " * (22 << 20))
    is_page(refused, 413)
    assert "at most 21,037,056 bytes" in refused.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_wrong_methods_say_which_are_right(client, method):
    for path, allow in (
        (f"{API}/layers", "GET, HEAD"),
        (f"{API}/neighbors", "GET, HEAD, POST"),
        ("/livez", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ):
        response = client.request(method, path)
        is_problem(response, 405)
        assert response.headers["allow"] == allow
    is_page(client.request(method, "/stores/store"), 405)
    assert client.request(method, "/static/style.css").headers["allow"] == "GET, HEAD"


PAGES = {
    404: [
        "/nothing",
        "/apis",
        "/static/nope.css",
        "/static/%2e%2e/app.py",
        "/stores/nope",
        "/stores/store/layers/nope",
        "/stores/store/units/features.0/40",
        "/stores/store/units/features.0/-1",
        "/stores/store/atlas/nope",
        "/stores/store/neighbors?image=200",
        "/stores/store/go",
        "/stores/store/go?q=%00",
    ],
    422: [
        "/stores/store/neighbors?image=abc",
        "/stores/store/atlas?row=-1",
        "/stores/store/go?unit=%00",
        f"/stores/store/units/features.0/{HUGE}",
    ],
}


@pytest.mark.parametrize(
    ("status", "path"), [(status, path) for status, paths in PAGES.items() for path in paths]
)
def test_bad_pages_say_why(client, status, path):
    is_page(client.get(path), status)


def test_a_bug_is_told_without_its_traceback(client, monkeypatch):
    from unitscope.service.queries import stores as ask

    def fail(*_args):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(ask, "layers", fail)
    response = client.get(f"{API}/layers")
    is_problem(response, 500)
    assert "secret" not in response.text


def test_the_names_of_stores_and_layers_are_no_html(client):
    for path in ("/stores/<script>alert(1)<%2Fscript>", "/stores/store/layers/<img src=x onerror=alert(1)>"):
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def is_problem(response, status):
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:unitscope:")
    assert told["title"]
    assert told["detail"]


def is_page(response, status):
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"].startswith("text/html")
    assert 'role="alert"' in response.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/layers/features.0/units/1/patches?wher=correct", "wher: no such parameter; did you mean where?"),
        (
            "/layers/features.0/units/1/patches?k=3&zzz=1",
            "zzz: no such parameter; there are: k, quantile, where",
        ),
        ("/images/1?where=1", "where: no such parameter; there are: none"),
        ("/neighbors?image=1&Where=1", "Where: no such parameter; did you mean where?"),
        ("/atlases/flat/at?grid=nearest&x=1&y=1&colum=2", "colum: no such parameter"),
    ],
)
def test_parameters_that_are_none_are_refused(client, path, said):
    response = client.get(f"/api/v1/stores/store{path}")
    assert response.status_code == 422
    assert response.json()["detail"].startswith(said)


def test_a_version_may_stand_in_any_address(client):
    assert client.get("/api/v1/stores/store/layers?v=0123456789ab").status_code == 200


@pytest.mark.parametrize(
    ("path", "ways"),
    [
        ("/stores/store/units/features.0/4000", ["/stores/store/layers/features.0"]),
        ("/stores/store/layers/feature.0", ["/stores/store/layers/features.0"]),
        ("/stores/store/images/4000", ["/stores/store/images"]),
        ("/stores/store/classes/nope", ["/stores/store/classes"]),
        ("/stores/nope/images/4", ["/"]),
    ],
)
def test_a_page_of_a_problem_leads_on_to_what_is_there(client, path, ways):
    said = client.get(path)
    assert said.status_code == 404
    links = re.findall(r'href="([^"]+)"', said.text.partition("<main")[2].partition("</main>")[0])
    assert set(ways) <= set(links)
    assert [client.get(link).status_code for link in links] == [200] * len(links)
