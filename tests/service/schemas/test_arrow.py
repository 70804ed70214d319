"""Tables as Arrow: they say what the JSON says, whatever the rows hold, and the Accept header chooses."""

import json
from typing import Annotated, Any, Literal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from unitscope.service.http.content_type import quality
from unitscope.service.schemas import atlases as answers_atlases
from unitscope.service.schemas import classes as answers_classes
from unitscope.service.schemas import images as answers_images
from unitscope.service.schemas import neighbors as answers_neighbors
from unitscope.service.schemas import stores as answers
from unitscope.service.schemas import units as answers_units
from unitscope.service.schemas.arrow import FACTS, MEDIA_TYPE, from_table, to_stream, to_table
from unitscope.service.schemas.base import Table

API = "/api/v1/stores/store"
TABLES = {
    "": answers.StoresAnswer,
    "/store/layers": answers.LayersAnswer,
    "/store/layers/features.0/units/3/patches": answers_units.PatchesAnswer,
    "/store/layers/features.0/units/3/patches?where=loss+%3E+99": answers_units.PatchesAnswer,
    "/store/layers/features.0/units?limit=7&sort=mean": answers_units.UnitsAnswer,
    "/store/layers/features.0/units/3/classes": answers_units.UnitClassesAnswer,
    "/store/layers/features.0/units/3/similar": answers_units.SimilarUnitsAnswer,
    "/store/classes": answers_classes.ClassesAnswer,
    "/store/images?limit=80": answers_images.ImagesAnswer,
    "/store/neighbors?image=1": answers_neighbors.NeighborsAnswer,
    "/store/atlases": answers_atlases.AtlasesAnswer,
    "/store/atlases/flat/grid": answers_atlases.GridAnswer,
}
ARROW = {"accept": MEDIA_TYPE}


def read(response):
    assert response.headers["content-type"] == MEDIA_TYPE
    return pa.ipc.open_stream(response.content).read_all()


@pytest.mark.parametrize("path", TABLES)
def test_arrow_says_what_json_says(client, path):
    plain = client.get(f"/api/v1/stores{path}").json()
    table = read(client.get(f"/api/v1/stores{path}", headers=ARROW))
    field = TABLES[path].ROWS
    assert table.num_rows == len(plain[field])
    again = from_table(TABLES[path], table)
    assert json.loads(again.model_dump_json()) == plain
    assert json.loads(table.schema.metadata[FACTS]) == {k: v for k, v in plain.items() if k != field}


def test_a_table_without_rows_has_its_columns(client):
    path = f"{API}/layers/features.0/units/3/patches"
    empty = read(client.get(f"{path}?where=loss+%3E+99", headers=ARROW))
    assert empty.num_rows == 0
    assert empty.schema.equals(read(client.get(path, headers=ARROW)).schema)
    assert empty.schema.field("box").type == pa.list_(pa.int64(), 4)


def test_pandas_has_a_column_for_each_field(client):
    frame = read(client.get(f"{API}/neighbors?image=1&k=5", headers=ARROW)).to_pandas()
    assert list(frame["rank"]) == [1, 2, 3, 4, 5]
    assert list(frame["distance"]) == sorted(frame["distance"])


def test_the_neighbours_of_a_vector_are_a_table_too(client, made):
    body = {"vector": made.feature[1].tolist(), "k": 3}
    response = client.post(f"{API}/neighbors", json=body, headers=ARROW)
    assert read(response)["image_id"][0].as_py() == 1
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", [path for path in TABLES if path])
def test_each_form_has_its_own_etag(client, path):
    path = f"/api/v1/stores{path}"
    plain, arrow = client.get(path), client.get(path, headers=ARROW)
    assert plain.headers["etag"] != arrow.headers["etag"]
    for response, accept in ((plain, "*/*"), (arrow, MEDIA_TYPE)):
        headers = {"accept": accept, "if-none-match": response.headers["etag"]}
        again = client.get(path, headers=headers)
        assert (again.status_code, again.headers["vary"]) == (304, "Accept")
        assert response.headers["vary"] == "Accept"
    crossed = {"accept": MEDIA_TYPE, "if-none-match": plain.headers["etag"]}
    assert client.get(path, headers=crossed).status_code == 200


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("application/json, application/vnd.apache.arrow.stream", "application/json"),
        ("application/json;q=0.5, application/vnd.apache.arrow.stream;q=0.6", MEDIA_TYPE),
        ("application/json;q=0.5, application/vnd.apache.arrow.stream;q=0.4", "application/json"),
        ("application/vnd.apache.arrow.stream, */*;q=0.1", MEDIA_TYPE),
        ("application/vnd.apache.arrow.stream;q=0", "application/json"),
        ("text/html", "application/json"),
        ("application/json;q=0, */*", MEDIA_TYPE),
    ],
)
def test_the_accept_header_chooses(client, accept, chosen):
    assert client.get(f"{API}/layers", headers={"accept": accept}).headers["content-type"] == chosen


def test_what_is_no_table_is_not_sent_as_one(client):
    path = f"{API}/layers/features.0/units/3"
    refused = client.get(path, headers=ARROW)
    assert (refused.status_code, refused.json()["type"]) == (406, "urn:unitscope:not-acceptable")
    either = client.get(path, headers={"accept": f"{MEDIA_TYPE}, application/json;q=0.1"})
    assert either.headers["content-type"] == "application/json"
    assert client.get(f"{API}/images/1/thumb", headers=ARROW).headers["content-type"] == "image/jpeg"


def test_problems_are_json_whatever_is_accepted(client):
    response = client.get(f"{API}/layers/nope/units", headers=ARROW)
    assert response.headers["content-type"] == "application/problem+json"


def test_the_openapi_document_tells_which_routes_have_tables(client):
    tables = set()
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for operation in methods.values():
            content = operation["responses"]["200"]["content"]
            if path.startswith("/api/") and "application/json" in content:
                is_table = MEDIA_TYPE in content
                assert ("406" in operation["responses"]) != is_table, path
                if is_table:
                    tables.add(path.removeprefix("/api/v1/stores"))
    unit = "/{store}/layers/{layer}/units/{unit}"
    assert tables >= {"", "/{store}/layers", f"{unit}/patches", "/{store}/neighbors", "/{store}/images"}
    assert unit not in tables


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", 1),
        ("*/*", 1),
        ("a/b", 1),
        ("A/B ; Q=0.25", 0.25),
        ("a/*;q=0.3, */*;q=0.9", 0.3),
        ("*/*;q=0.9, a/b;q=0", 0),
        ("c/d", 0),
        ("a/b;level=1;q=0.5", 0.5),
        ("a/b;q=nonsense, */*;q=0.2", 0.2),
        ("a/b;q=2", 0),
        ("a/b;q=-1", 0),
        (",,a/b,", 1),
    ],
)
def test_the_quality_of_a_media_type(accept, expected):
    assert quality(accept, "a/b") == expected


class Inner(BaseModel):
    """A struct with every kind of value."""

    name: str
    facts: dict[str, int] | None
    pairs: list[tuple[int, int]]


class Row(BaseModel):
    """A row with every kind of value."""

    whole: int
    number: float | None
    truth: bool
    word: Literal["a", "b"] | None
    either: int | str
    anything: Any
    several: list[str]
    box: tuple[int, int, int, int] | None
    inner: Inner | None
    inners: list[Inner]
    bounded: Annotated[int, Field(ge=0)]


class Answer(Table):
    """A table with facts."""

    ROWS = "rows"

    store: str
    next: str | None
    rows: list[Row]


WHOLE = st.integers(-(2**53), 2**53)
TEXT = st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXT | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
INNER = st.builds(
    Inner,
    name=TEXT,
    facts=st.none() | st.dictionaries(TEXT, WHOLE, max_size=2),
    pairs=st.lists(st.tuples(WHOLE, WHOLE), max_size=2),
)
ROWS = st.builds(
    Row,
    whole=WHOLE,
    number=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    truth=st.booleans(),
    word=st.sampled_from(["a", "b", None]),
    either=WHOLE | TEXT,
    anything=VALUES,
    several=st.lists(TEXT, max_size=2),
    box=st.none() | st.tuples(WHOLE, WHOLE, WHOLE, WHOLE),
    inner=st.none() | INNER,
    inners=st.lists(INNER, max_size=2),
    bounded=st.integers(0, 9),
)


@given(st.builds(Answer, store=TEXT, next=st.none() | TEXT, rows=st.lists(ROWS, max_size=3)))
def test_there_and_back(answer):
    assert from_table(Answer, to_table(answer)) == answer
    assert to_stream(answer) == to_stream(answer.model_copy(deep=True))
    assert (
        to_table(answer).schema.remove_metadata()
        == to_table(Answer(store="", next=None, rows=[])).schema.remove_metadata()
    )


def test_columns_of_another_release_do_no_harm():
    table = to_table(Answer(store="s", next=None, rows=[]))
    more = table.append_column("unheard_of", pa.array([], pa.int64()))
    assert from_table(Answer, more).store == "s"
