"""What the client asks the maps: overlays, regions, counterparts, a layer's own atlases; each answer is the API's."""

import asyncio
import io

import httpx
import numpy as np
import pytest
from client_answers import plain
from PIL import Image
from unitscope.common.errors import LayerError, StoreNotFoundError, UsageError
from unitscope.service.client import AsyncClient, Client, Paint

API = "/api/v1/stores/mapped"
CORNERS = [(0, 0), (3.25, 0), (3.25, 4), (-1, 4)]
REGION = "region=0.0000,0.0000%3B3.2500,0.0000%3B3.2500,4.0000%3B-1.0000,4.0000"
UNIT = Paint("unit", layer="block", unit=3)
QUESTIONS = {
    "overlays": ("/atlases/pca/overlays", lambda store: store.overlays("pca")),
    "legend": (
        "/atlases/pca/overlays/legend?by=unit&layer=block&unit=3",
        lambda store: store.legend("pca", UNIT),
    ),
    "painted": (
        "/atlases/pca/overlays/values/5?by=column&column=loss",
        lambda store: store.painted("pca", 5, Paint("column", column="loss")),
    ),
    "painted by a region": (
        f"/atlases/pca/overlays/values/5?by=region&{REGION}&region_grid=assigned",
        lambda store: store.painted("pca", 5, Paint("region", region=CORNERS, region_grid="assigned")),
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
    "layer_atlas": ("/layers/block/atlases/units", lambda store: store.layer_atlas("block", "units")),
    "layer_tiles": (
        "/layers/block/atlases/activations/tiles/scatter",
        lambda store: store.layer_tiles("block", "activations", "scatter"),
    ),
    "layer_at": (
        "/layers/block/atlases/activations/at?x=0.5&y=0.5",
        lambda store: store.layer_at("block", "activations", 0.5, 0.5),
    ),
    "layer_where": (
        "/layers/block/atlases/units/where?item=7",
        lambda store: store.layer_where("block", "units", 7),
    ),
    "layer_overlays": (
        "/layers/block/atlases/units/overlays",
        lambda store: store.layer_overlays("block", "units"),
    ),
    "layer_legend": (
        "/layers/block/atlases/units/overlays/legend?by=column&column=active",
        lambda store: store.layer_legend("block", "units", Paint("column", column="active")),
    ),
    "layer_painted": (
        "/layers/block/atlases/activations/overlays/values/5?by=unit&layer=block&unit=3",
        lambda store: store.layer_painted("block", "activations", 5, UNIT),
    ),
    "layer_clusters": (
        "/layers/block/atlases/activations/clusters",
        lambda store: store.layer_clusters("block", "activations"),
    ),
    "layer_extent": (
        "/layers/block/atlases/units/extent?where=unit+%3C+5",
        lambda store: store.layer_extent("block", "units", "unit < 5"),
    ),
    "layer_region": (
        f"/layers/block/atlases/units/region?{REGION}",
        lambda store: store.layer_region("block", "units", CORNERS),
    ),
    "units_of_samples_in_region": (
        f"/layers/block/atlases/activations/region/units?{REGION}&k=3",
        lambda store: store.units_of_samples_in_region("block", CORNERS, k=3),
    ),
}
PICTURES = {
    "overlay_tile": (
        "/atlases/pca/overlays/nearest/0/0_0.png?by=unit&layer=block&unit=3",
        lambda store: store.overlay_tile("pca", "nearest", 0, UNIT),
    ),
    "layer_overlay_tile": (
        "/layers/block/atlases/activations/overlays/nearest/0/0_0.png?by=unit&layer=block&unit=3",
        lambda store: store.layer_overlay_tile("block", "activations", "nearest", 0, UNIT),
    ),
    "layer_tile": (
        "/layers/block/atlases/units/tiles/assigned/0/0_0.jpg",
        lambda store: store.layer_tile("block", "units", "assigned", 0),
    ),
    "sample_picture": (
        "/layers/block/atlases/activations/samples/5/picture",
        lambda store: store.sample_picture("block", 5),
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


def test_the_images_of_a_region_come_in_pages(store, monkeypatch):
    monkeypatch.setattr("unitscope.service.client.endpoint.MOST", 7)
    images = store.region_images("pca", CORNERS)
    assert [len(page) for page in images.pages(9)] == [7, 2]
    found = [image.image_id for image in images]
    assert len(found) == len(set(found)) == store.region("pca", CORNERS).images > 9


def test_the_units_and_samples_of_a_region_come_in_pages(store):
    units, samples = store.units_in_region("block", CORNERS), store.samples_in_region("block", CORNERS)
    assert len({one.unit for one in units}) == store.layer_region("block", "units", CORNERS).items > 2
    assert (
        len({one.sample for one in samples}) == store.layer_region("block", "activations", CORNERS).items > 2
    )


def test_a_place_that_where_tells_shows_the_unit(store):
    for place in store.layer_where("block", "units", 7).cells:
        cell = store.layer_at("block", "units", place.x, place.y, grid=place.grid)
        assert cell.item == place.shown
        assert place.grid == "nearest" or cell.unit.unit == 7


def test_problems_are_the_projects_own_errors(store):
    with pytest.raises(StoreNotFoundError, match="--units head"):
        store.layer_atlas("head.2", "units")
    with pytest.raises(LayerError, match="block"):
        store.legend("pca", Paint("unit", layer="nope", unit=1))
    with pytest.raises(UsageError, match="region"):
        store.region("pca", [(0, 0), (1, 1)])
