"""ETags, HEAD, caching and the headers of every response."""

import re
import socket

import pytest

API = "/api/v1/stores/store"
TABLES = [
    "/layers",
    "/layers/features.0/units",
    "/layers/features.0/units/3",
    "/layers/features.0/units/3/patches",
    "/images/1",
    "/neighbors?image=1",
    "/atlases/flat",
    "/atlases/flat/grid",
    "/atlases",
    "",
]
PICTURES = [
    "/images/1/pixels",
    "/images/1/thumb",
    "/images/1/crop?box=0,0,5,5",
    "/layers/head/units/1/patches/1/picture",
]


@pytest.mark.parametrize("path", [*TABLES, *PICTURES])
def test_what_has_not_changed_is_not_sent_again(client, path):
    first = client.get(API + path)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for wanted in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get(API + path, headers={"if-none-match": wanted})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = client.get(API + path, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_a_script_that_has_not_changed_is_not_sent_again(client):
    first = client.get("/static/style.css")
    etag = first.headers["etag"]
    for wanted in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get("/static/style.css", headers={"if-none-match": wanted})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    for other in ('"other"', etag.strip('"'), f'"{etag[1:5]}"'):
        assert client.get("/static/style.css", headers={"if-none-match": other}).content == first.content


def test_no_two_contents_have_one_etag(client):
    paths = [API + path for path in (*TABLES, *PICTURES)]
    paths += [f"{API}/images/{image}/crop?box=0,0,{side},5" for image in (1, 2) for side in (4, 5)]
    paths += [f"{API}/neighbors?image=1&k={k}" for k in (1, 2)] + [f"{API}/images/2/thumb", "/api/v1/stores"]
    paths += [f"{API}/layers/features.0/units/3/patches?where=loss+%3E+0.{digit}" for digit in (1, 2)]
    contents = {}
    for path in paths:
        response = client.get(path)
        contents.setdefault(response.headers["etag"], set()).add(response.content)
    assert all(len(found) == 1 for found in contents.values())


def test_etags_outlive_the_process(made, kit, client):
    with kit.client(made.url) as other:
        assert other.get(f"{API}/layers").headers["etag"] == client.get(f"{API}/layers").headers["etag"]


def test_a_star_matches_only_what_is_there(client):
    star = {"if-none-match": "*"}
    assert client.get(f"{API}/layers/nope/units", headers=star).status_code == 404
    assert client.get(f"{API}/images/70/thumb", headers=star).status_code == 404


@pytest.mark.parametrize(
    "path", [API + TABLES[0], API + PICTURES[1], "/stores/store", "/static/style.css", "/livez"]
)
def test_head_is_get_without_the_body(live, path):
    path = path.replace("stores/store", "stores/shapes").replace("features.0", "stem.0")
    head, got = live.head(path), live.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(got.content))


def test_only_addresses_that_name_the_version_are_kept_for_good(client, kit, made):
    version = kit.hash(made)[:12]
    thumb = f"{API}/images/1/thumb"
    assert "immutable" in client.get(thumb, params={"v": version}).headers["cache-control"]
    for path in (thumb, f"{API}/layers", "/stores/store"):
        assert "no-cache" in client.get(path).headers["cache-control"]


@pytest.mark.parametrize("path", PICTURES[1:])
def test_a_page_is_not_given_the_pictures_of_a_store_that_came_after_it(client, path):
    assert client.get(API + path).status_code == 200
    refused = client.get(f"{API}{path}{'&' if '?' in path else '?'}v=000000000000")
    assert refused.status_code == 409
    assert "the store store has been replaced since v=000000000000" in refused.json()["detail"]
    assert "immutable" not in refused.headers.get("cache-control", "")


@pytest.mark.parametrize(
    "path", [f"{API}/layers", "/stores/store", "/nothing", "/api/nothing", "/static/style.css"]
)
def test_every_response_keeps_to_itself(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_a_foreign_host_name_is_refused_on_the_loopback_address(live):
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        assert live.get("/livez", headers={"host": host}).status_code == 403
    assert live.get("/livez", headers={"host": ""}).status_code == 400
    for host in ("localhost:1234", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert live.get("/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "hosts", [("localhost", "evil.example"), ("evil.example", "localhost"), ("localhost",) * 2]
)
def test_two_hosts_are_refused(live, hosts):
    named = "".join(f"Host: {host}\r\n" for host in hosts)
    with socket.create_connection((live.base_url.host, live.base_url.port), 10) as connection:
        connection.sendall(f"GET /livez HTTP/1.1\r\n{named}Connection: close\r\n\r\n".encode())
        told = connection.makefile("rb").read()
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"one host" in told


def test_the_openapi_document_describes_every_route(client):
    document = client.get("/openapi.json").json()
    problem = {"$ref": "#/components/schemas/Problem"}
    assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["responses"]["200"].get("content"), (path, method)
            for code, response in operation["responses"].items():
                if code[0] in "45":
                    assert response["content"]["application/problem+json"]["schema"] == problem, (path, code)


def reads(client, cache):
    """How often a cache was read with and without success, as /metrics tells."""
    told = client.get("/metrics").text
    found = {
        result: float(line.rsplit(" ", 1)[1])
        for result in ("hit", "miss")
        for line in told.splitlines()
        if line.startswith("unitscope_cache_reads_total{")
        and f'cache="{cache}"' in line
        and f'result="{result}"' in line
    }
    return found["hit"], found["miss"]


@pytest.mark.parametrize(
    "path", [f"{API}/layers/features.0/units/2/patches?where=loss+%3E+0.3", f"{API}/layers"]
)
def test_the_same_question_again_is_answered_from_memory(made, kit, path):
    with kit.client(made.url) as client:
        first = client.get(path)
        hits, misses = reads(client, "answers")
        again = client.get(path)
        assert reads(client, "answers") == (hits + 1, misses)
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
        arrow = client.get(path, headers={"accept": "application/vnd.apache.arrow.stream"})
        assert arrow.content != first.content
        assert reads(client, "answers") == (hits + 1, misses + 1)


def test_answers_to_what_is_sent_are_not_kept_by_their_address(client, made):
    vectors = [list(map(float, made.feature[image])) for image in (1, 2)]
    nearest = [
        client.post(f"{API}/neighbors", json={"vector": vector}).json()["neighbors"][0]["image_id"]
        for vector in vectors
    ]
    assert nearest == [1, 2]


def test_what_pages_load_from_the_service_is_kept_for_good(client):
    address = re.search(r'href="(/static/style\.css\?v=\w+)"', client.get("/stores/store").text)[1]
    first = client.get(address)
    assert "immutable" in first.headers["cache-control"]
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    etag = {"if-none-match": first.headers["etag"]}
    assert client.get("/static/style.css", headers=etag).status_code == 304
    for changed in ("/static/style.css", "/static/style.css?v=0"):
        assert "no-cache" in client.get(changed).headers["cache-control"]
