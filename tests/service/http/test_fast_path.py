"""The quick answers from memory: each is its route's, byte for byte, and what they do not answer is the route's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.index.neighbors.choice import AnnChoice
from unitscope.service.http.fast_path import FastPath, NotCachedError, plain, whole
from unitscope.service.schemas.unvalidated import Unvalidated

API = "/api/v1/stores/store"
PATCHES = f"{API}/layers/features.0/units/3/patches"
QUICK = [PATCHES, f"{PATCHES}?k=4", f"{API}/layers/head/units/1/patches?k=2&v=x", f"{API}/neighbors?image=2"]
QUICK += [f"{API}/neighbors?k=3&image=1", f"{API}/neighbors?image=1&v=123456789012"]
HANDED_ON = [
    f"{PATCHES}?where=loss+%3E+0.5",
    f"{PATCHES}?quantile=0.5",
    f"{PATCHES}?k=0",
    f"{PATCHES}?k=1001",
    f"{PATCHES}?k=%34",
    f"{PATCHES}?k=4&k=5",
    f"{PATCHES}?k=1e1",
    f"{PATCHES}?k=-1",
    f"{API}/layers/features.0/units/1e3/patches",
    f"{API}/layers/features.0/units/999/patches",
    f"{API}/layers/none/units/3/patches",
    "/api/v1/stores/none/neighbors?image=1",
    f"{API}/neighbors",
    f"{API}/neighbors?image=99999",
    f"{API}/neighbors?image=1&exact=true",
    f"{API}/neighbors?image=1&metric=cosine",
    f"{API}/neighbors?image=1&space=pixels",
    f"{API}/neighbors/",
]
HEADERS = [
    {},
    {"accept": "text/html,*/*;q=0.8"},
    {"accept": "application/vnd.apache.arrow.stream"},
    {"accept": "x/y"},
]


def quick_of(client):
    """The middleware of a client's app."""
    client.get("/livez")
    found = client.app.middleware_stack
    while not isinstance(found, FastPath):
        found = found.app
    return found


@pytest.fixture(scope="module")
def indexed(synthetic, kit, tmp_path_factory):
    """A store with a real index, which finds neighbours without comparing all images."""
    made = synthetic.make_store(tmp_path_factory.mktemp("indexed") / "store")
    kit.index(made, choice=AnnChoice("ivf", 4, 200, (made.feature.shape[1],)))
    return made


@pytest.fixture(scope="module")
def quick(indexed, kit):
    """A client of a service that has in memory what is asked for below."""
    with kit.client(indexed.url) as client:
        for path in QUICK * 2:
            kit.forgetful(client).get(path)
        yield client


@pytest.fixture(scope="module")
def slow(indexed, kit):
    """A client of a service without shortcuts."""
    with kit.client(indexed.url) as client:
        quick_of(client)._shortcuts = []
        yield kit.forgetful(client)


def same(one, other):
    """But for the id of the request."""
    kept = [{**answer.headers, "x-request-id": ""} for answer in (one, other)]
    return (one.status_code, one.content, kept[0]) == (other.status_code, other.content, kept[1])


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("path", QUICK + HANDED_ON)
def test_the_answers_are_those_of_the_routes(quick, slow, path, headers):
    assert same(quick.get(path, headers=headers), slow.get(path, headers=headers))
    assert same(quick.head(path, headers=headers), slow.head(path, headers=headers))
    etag = slow.get(path, headers=headers).headers.get("etag", '"none"')
    wanted = {**headers, "if-none-match": etag}
    assert same(quick.get(path, headers=wanted), slow.get(path, headers=wanted))
    assert same(quick.post(path, headers=headers, json={}), slow.post(path, headers=headers, json={}))


def test_the_router_is_not_asked_for_what_is_in_memory(quick, monkeypatch):
    handed_on = []

    async def route(scope, receive, send):
        handed_on.append(scope["path"])

    monkeypatch.setattr(quick_of(quick), "app", route)
    for path in QUICK:
        assert quick.get(path).status_code == 200
    assert handed_on == []


def test_what_is_not_in_memory_is_the_route_s(indexed, kit):
    with kit.client(indexed.url) as client:
        handed_on, route = [], quick_of(client).app

        async def watched(scope, receive, send):
            handed_on.append(scope["path"])
            await route(scope, receive, send)

        quick_of(client).app = watched
        for _ in range(3):
            assert client.get(PATCHES).status_code == 200
        assert handed_on == [PATCHES]
        counted = client.get("/metrics").text
    template = "/api/v1/stores/{store}/layers/{layer}/units/{unit}/patches"
    assert f'unitscope_request_seconds_count{{method="GET",route="{template}",status="200"}} 3.0' in counted


def test_a_store_that_is_replaced_is_answered_from_anew(synthetic, kit, tmp_path):
    made = synthetic.make_store(tmp_path / "store")
    with kit.client(made.url) as client:
        before = [client.get(PATCHES).json() for _ in range(2)]
        synthetic.make_store(tmp_path / "store", seed=5)
        after = client.get(PATCHES).json()
        assert before[0] == before[1]
        assert after["manifest"] != before[0]["manifest"]
        assert after["patches"] != before[0]["patches"]


@pytest.mark.parametrize("path", [*QUICK, f"{PATCHES}?where=loss+%3E+0.5", f"{PATCHES}?quantile=0.3"])
def test_a_draft_s_json_is_its_model_s(slow, path, monkeypatch):
    drafts, json = [], Unvalidated.json

    def noted(draft):
        drafts.append(draft)
        return json(draft)

    monkeypatch.setattr(Unvalidated, "json", noted)
    content = slow.get(path).content
    (draft,) = drafts
    assert content == draft.answer().model_dump_json().encode()
    assert list(draft.fields) == list(draft.kind.model_fields)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.integers(0, 10**9), max_size=4))
def test_plain_queries(parameters):
    query = "&".join(f"{name}={value}" for name, value in parameters.items()).encode()
    assert plain(query) == {name: str(value) for name, value in parameters.items()}


@pytest.mark.parametrize(
    "query", [b"a=%31", b"a=1&a=2", b"a", b"a=", b"a=1;b=2", b"a=1&", b"a=+1", b"\xff=1"]
)
def test_other_queries_are_not_plain(query):
    assert plain(query) is None


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1_0", "²", "٣", "11", "0", "9" * 5000])
def test_other_texts_are_no_numbers(text):
    with pytest.raises(NotCachedError):
        whole(text, 1, 10)
    assert whole("7", 1, 10) == 7
