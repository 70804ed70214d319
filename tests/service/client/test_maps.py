"""What the client asks the maps: overlays, regions, counterparts, a layer's own atlases; each answer is the API's."""

import asyncio
import io

import httpx
import numpy as np
import pytest
from client_answers import plain
from PIL import Image
from unitscope.common.errors import LayerError, StoreNotFoundError, UsageError
from unitscope.service.client import AsyncClient, Client, Coloring

API = "/api/v1/stores/mapped"
CORNERS = [(0, 0), (3.25, 0), (3.25, 4), (-1, 4)]
REGION = "region=0.0000,0.0000%3B3.2500,0.0000%3B3.2500,4.0000%3B-1.0000,4.0000"
UNIT = Coloring("unit", layer="block", unit=3)
QUESTIONS = {
    "overlays": ("/atlases/pca/overlays", lambda store: store.overlays("pca")),
    "legend": (
        "/atlases/pca/overlays/legend?by=unit&layer=block&unit=3",
        lambda store: store.legend("pca", UNIT),
    ),
    "overlay_value": (
        "/atlases/pca/overlays/values/5?by=column&column=loss",
        lambda store: store.overlay_value("pca", 5, Coloring("column", column="loss")),
    ),
    "overlay_value of a region": (
        f"/atlases/pca/overlays/values/5?by=region&{REGION}&region_grid=assigned",
        lambda store: store.overlay_value(
            "pca", 5, Coloring("region", region=CORNERS, region_grid="assigned")
        ),
    ),
    "clusters": ("/atlases/pca/clusters?grid=assigned", lambda store: store.clusters("pca", grid="assigned")),
    "region": (f"/atlases/pca/region?{REGION}&grid=nearest", lambda store: store.region("pca", CORNERS)),
    "region_units": (
        f"/atlases/pca/region/units?{REGION}&layer=block&k=3",
        lambda store: store.region_units("pca", CORNERS, layer="block", k=3),
    ),
    "extent": (
        "/atlases/pca/extent?where=image_id+%3C+9&grid=assigned",
        lambda store: store.extent("pca", "image_id < 9", grid="assigned"),
    ),
    "counterpart": ("/images/5/counterpart?other=shapes", lambda store: store.counterpart(5, "shapes")),
    "atlas of units": ("/atlases/units%3Ablock", lambda store: store.atlas("units:block")),
    "tiles of samples": (
        "/atlases/activations%3Ablock/tiles/scatter",
        lambda store: store.tiles("activations:block", "scatter"),
    ),
    "at, a sample": (
        "/atlases/activations%3Ablock/at?x=0.5&y=0.5",
        lambda store: store.at("activations:block", 0.5, 0.5),
    ),
    "where, a unit": ("/atlases/units%3Ablock/where?item=7", lambda store: store.where("units:block", 7)),
    "grid of units": ("/atlases/units%3Ablock/grid", lambda store: store.grid("units:block")),
    "overlays of units": ("/atlases/units%3Ablock/overlays", lambda store: store.overlays("units:block")),
    "legend of units": (
        "/atlases/units%3Ablock/overlays/legend?by=column&column=active",
        lambda store: store.legend("units:block", Coloring("column", column="active")),
    ),
    "overlay_value of a sample": (
        "/atlases/activations%3Ablock/overlays/values/5?by=unit&layer=block&unit=3",
        lambda store: store.overlay_value("activations:block", 5, UNIT),
    ),
    "clusters of samples": (
        "/atlases/activations%3Ablock/clusters",
        lambda store: store.clusters("activations:block"),
    ),
    "extent of units": (
        "/atlases/units%3Ablock/extent?where=unit+%3C+5",
        lambda store: store.extent("units:block", "unit < 5"),
    ),
    "region of units": (
        f"/atlases/units%3Ablock/region?{REGION}",
        lambda store: store.region("units:block", CORNERS),
    ),
    "region_units of samples": (
        f"/atlases/activations%3Ablock/region/units?{REGION}&k=3",
        lambda store: store.region_units("activations:block", CORNERS, k=3),
    ),
}
PICTURES = {
    "overlay_tile": (
        "/atlases/pca/overlays/nearest/0/0_0.png?by=unit&layer=block&unit=3",
        lambda store: store.overlay_tile("pca", "nearest", 0, UNIT),
    ),
    "overlay_tile of samples": (
        "/atlases/activations%3Ablock/overlays/nearest/0/0_0.png?by=unit&layer=block&unit=3",
        lambda store: store.overlay_tile("activations:block", "nearest", 0, UNIT),
    ),
    "tile of units": (
        "/atlases/units%3Ablock/tiles/assigned/0/0_0.jpg",
        lambda store: store.tile("units:block", "assigned", 0),
    ),
    "sample_picture": (
        "/atlases/activations%3Ablock/samples/5/picture",
        lambda store: store.sample_picture("activations:block", 5),
    ),
}


@pytest.fixture(scope="module")
def maps_url(kit, mapped, swept):
    with kit.answering(mapped, swept, live=None) as url:
        yield url


@pytest.fixture(scope="module")
def store(maps_url):
    with Client(maps_url) as client:
        yield client.store("mapped")


@pytest.fixture(scope="module")
def raw(maps_url):
    with httpx.Client(base_url=maps_url) as client:
        yield client


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_services(store, raw, name):
    path, ask = QUESTIONS[name]
    assert plain(ask(store)) == raw.get(f"{API}{path}").json()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_services(store, raw, name):
    path, ask = PICTURES[name]
    expected = Image.open(io.BytesIO(raw.get(f"{API}{path}").content))
    assert np.array_equal(np.asarray(ask(store)), np.asarray(expected))


def test_the_asynchronous_client_answers_the_same(maps_url, store):
    async def answers():
        async with AsyncClient(maps_url) as client:
            other = client.store("mapped")
            return await asyncio.gather(*(ask(other) for _, ask in QUESTIONS.values()))

    assert [plain(answer) for answer in asyncio.run(answers())] == [
        plain(ask(store)) for _, ask in QUESTIONS.values()
    ]


@pytest.mark.parametrize(
    ("name", "number"), [("pca", "image_id"), ("units:block", "unit"), ("activations:block", "sample")]
)
def test_the_items_of_a_region_come_in_pages(store, monkeypatch, name, number):
    there = store.region(name, CORNERS).items
    monkeypatch.setattr("unitscope.service.client.endpoint.MOST", 2)
    items = store.region_items(name, CORNERS)
    assert [len(page) for page in items.pages(3)] == [2, 1]
    found = [getattr(one, number) for one in items]
    assert len(found) == len(set(found)) == there > 3


@pytest.mark.parametrize("name", ["pca", "units:block", "activations:block"])
def test_a_place_that_where_tells_shows_the_item(store, name):
    for place in store.where(name, 7).cells:
        cell = store.at(name, place.x, place.y, grid=place.grid)
        assert cell.item == place.shown
        assert place.grid == "nearest" or cell.item == 7


def test_every_atlas_is_listed(store):
    listed = {one.name: (one.kind, one.layer, one.items) for one in store.atlases()}
    assert listed["units:block"] == ("units", "block", 12)
    assert listed["activations:block"] == ("activations", "block", 60)
    assert listed["pca"][:2] == ("images", None)


def test_problems_are_the_projects_own_errors(store):
    with pytest.raises(StoreNotFoundError, match="--units head"):
        store.atlas("units:head.2")
    with pytest.raises(LayerError, match="block"):
        store.legend("pca", Coloring("unit", layer="nope", unit=1))
    with pytest.raises(UsageError, match="region"):
        store.region("pca", [(0, 0), (1, 1)])
