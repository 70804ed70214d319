"""The clients against a service: every answer is that of the API, the asynchronous client's that of the synchronous."""

import asyncio
import io

import httpx
import numpy as np
import pytest
from client_answers import plain
from PIL import Image
from unitscope.common.errors import NotFoundError, UsageError
from unitscope.service.client import AsyncClient, Client
from unitscope.service.client.store_endpoints import StoreQuestions

QUESTIONS = {
    "about": ("", lambda store: store.about()),
    "overview": ("/overview", lambda store: store.overview()),
    "layers": ("/layers", lambda store: store.layers()),
    "unit": ("/layers/features.0/units/3", lambda store: store.unit("features.0", 3)),
    "patches": (
        "/layers/block.1:0/units/3/patches?k=4&where=loss+%3E+0.5&quantile=0.5",
        lambda store: store.patches("block.1:0", 3, k=4, where="loss > 0.5", quantile=0.5),
    ),
    "no patches": (
        "/layers/features.0/units/3/patches?where=loss+%3E+99",
        lambda store: store.patches("features.0", 3, where="loss > 99"),
    ),
    "similar_units": (
        "/layers/features.0/units/3/similar?k=5",
        lambda store: store.similar_units("features.0", 3, k=5),
    ),
    "image": ("/images/7", lambda store: store.image(7)),
    "one_class": ("/classes/{label}", lambda store: store.one_class(store.label)),
    "neighbors": (
        "/neighbors?image=7&k=3&metric=cosine&exact=true",
        lambda store: store.neighbors(7, k=3, metric="cosine", exact=True),
    ),
    "atlases": ("/atlases", lambda store: store.atlases()),
    "atlas": ("/atlases/flat", lambda store: store.atlas("flat")),
    "grid": ("/atlases/flat/grid?row=1&rows=2", lambda store: store.grid("flat", row=1, rows=2)),
}


@pytest.fixture(scope="module")
def raw(url):
    with httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_services(store, raw, name):
    path, ask = QUESTIONS[name]
    assert plain(ask(store)) == raw.get(f"/api/v1/stores/store{path.format(label=store.label)}").json()


def test_the_asynchronous_client_answers_the_same(url, store):
    async def answers():
        async with AsyncClient(url) as client:
            other = client.store("store")
            other.label = store.label
            return await asyncio.gather(*(ask(other) for _, ask in QUESTIONS.values()))

    assert [plain(answer) for answer in asyncio.run(answers())] == [
        plain(ask(store)) for _, ask in QUESTIONS.values()
    ]


def test_the_stores_of_a_service(url):
    with Client(url) as client:
        assert [store.name for store in client.stores()] == ["store"]


def test_neighbours_of_a_vector(store, made):
    for vector in (made.feature[3], made.feature[3].tolist()):
        found = store.neighbors_of_vector(vector, k=4, where="image_id != 3")
        assert [row.image_id for row in found] == [row.image_id for row in store.neighbors(3, k=4)]
    assert found.answer.image_id is None


def test_lists_follow_their_cursors(store, made, monkeypatch):
    monkeypatch.setattr("unitscope.service.client.endpoint.MOST", 7)
    units = store.units("features.0", sort="mean")
    assert [unit.unit for unit in units] == [unit.unit for unit in units.all()]
    assert sorted(unit.unit for unit in units) == list(range(40))
    assert [len(page) for page in units.pages()] == [7] * 5 + [5]
    assert [len(page) for page in units.pages(9)] == [7, 2]
    assert [unit.unit for unit in units.first(9)] == [unit.unit for unit in units][:9]
    everything = units.all()
    assert len(everything.to_pandas()) == everything.answer.found == 40
    assert everything.answer.next is None and units.first(9).answer.next is not None
    assert [row.image_id for row in store.images(where="loss < 0.1", sort="loss").first(1000)] == sorted(
        np.flatnonzero(np.array(made.images["loss"].to_pylist(), float) < 0.1).tolist(),
        key=lambda image: (-made.images["loss"][image].as_py(), image),
    )
    assert list(store.images(where="loss > 99")) == []


def test_asynchronous_lists_are_the_same(url, store, monkeypatch):
    monkeypatch.setattr("unitscope.service.client.endpoint.MOST", 7)

    async def listed():
        async with AsyncClient(url) as client:
            units = client.store("store").units("features.0", sort="mean")
            one_by_one = [unit.unit async for unit in units]
            return one_by_one, await units.all(), await units.first(9)

    one_by_one, everything, first = asyncio.run(listed())
    expected = store.units("features.0", sort="mean").all()
    assert one_by_one == [unit.unit for unit in expected]
    assert plain(everything) == plain(expected)
    assert list(first) == expected[:9]


def test_pages_of_two_versions_are_not_joined(fresh, synthetic, kit):
    with kit.client(fresh.url) as service:

        def pass_on(request):
            response = service.request(
                request.method, str(request.url.raw_path, "ascii"), headers=request.headers
            )
            return httpx.Response(response.status_code, headers=response.headers, content=response.content)

        with Client("http://localhost", transport=httpx.MockTransport(pass_on)) as client:
            pages = client.store("store").units("features.0").pages(1000)
            cursor = next(client.store("store").units("features.0").pages(3)).answer.next
            assert cursor and next(pages)
            synthetic.make_store(fresh.url, seed=1)
            with pytest.raises(UsageError, match="earlier version"):
                client.ask(_page(client.store("store"), cursor))


def _page(store, cursor):
    return StoreQuestions.units._make(store, "features.0").page(cursor, 3)


def test_rows_are_a_sequence_and_a_frame(store):
    layers = store.layers()
    assert len(layers) == 3 and layers[0] == layers.rows[0] and layers[1:] == layers.rows[1:]
    frame = layers.to_pandas()
    assert list(frame["layer"]) == [row.layer for row in layers]
    assert list(frame.columns) == list(type(layers[0]).model_fields)
    facts = store.atlases().to_pandas()["facts"][0]
    assert facts == store.atlases()[0].facts
    assert layers.arrow.num_rows == 3


def test_pictures(store, raw):
    patches = store.patches("features.0", 3)
    shown = store.picture(patches[0])
    assert (shown.width, shown.height) == _size(patches[0].view)
    assert store.pixels(7).size == (store.image(7).width, store.image(7).height)
    assert store.crop(7, (0, 0, 5, 4)).size == (5, 4)
    exact = Image.open(io.BytesIO(raw.get("/api/v1/stores/store/images/7/crop?box=0,0,5,4").content))
    assert store.crop(7, (0, 0, 5, 4)).tobytes() == exact.tobytes()
    with pytest.raises(NotFoundError, match="no picture"):
        store.picture(store.layers()[0])


def _size(box):
    return box[2] - box[0], box[3] - box[1]


def test_what_needs_the_network_itself(live, swept):
    with Client(str(live.base_url)) as client:
        store = client.store(swept.name)
        image = store.pixels(5)
        nearest = store.neighbors(5, k=3)
        file = io.BytesIO()
        image.save(file, "PNG")
        for given in (image, file.getvalue()):
            found = store.neighbors_of_upload(given, k=4)
            assert [row.image_id for row in found] == [5, *(row.image_id for row in nearest)]
        assert found[0].distance < 1e-3
        assert found.answer.query.width == image.width
        whole = (0, 0, image.width, image.height)
        region = store.neighbors_of_region(5, whole, k=3)
        assert [row.image_id for row in region] == [row.image_id for row in nearest]
        layer = next(layer for layer in store.layers() if layer.kind == "map")
        values = store.map_values(5, layer.layer)
        assert values.shape == (layer.units, layer.height, layer.width)
        strongest = store.patches(layer.layer, 0, k=1, where="image_id = 5")[0]
        assert values[0].max() == pytest.approx(strongest.value, rel=1e-4)
        assert store.map_values(5, layer.layer, unit=0).tolist() == values[0].tolist()
        assert store.maps(5, layer.layer).size > store.maps(5, layer.layer, unit=0).size
        assert store.filters(layer.layer).size[0] > 1
        assert store.live().answered > 0
        assert store.picture(nearest[0]).size == store.thumb(nearest[0].image_id).size
