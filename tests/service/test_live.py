"""The live model against the store that the same network filled: equal numbers, true pictures, refusals with why."""

import io
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unitscope.index.store import Store
from unitscope.service.client import Client
from unitscope.service.live import pictures
from unitscope.service.live.client import LiveModel
from unitscope.service.live.facts import model_facts
from unitscope.service.live.options import LiveOptions

API = "/api/v1/stores/shapes"
ALONE = LiveOptions()
LAYERS = ["stem.0", "block", "head.2"]


@pytest.fixture(scope="module")
def store(swept):
    return Store.open(str(swept))


class Kept(LiveModel):
    """Does not end with a service, but with the tests."""

    def close(self):
        pass


@pytest.fixture(scope="module")
def worker():
    """One worker for all tests: each takes seconds to start."""
    model = Kept(ALONE)
    yield model
    LiveModel.close(model)


@pytest.fixture(scope="module")
def serve(kit, worker):
    """`serve(*stores)`: a client of a service with that worker."""

    def made(*stores):
        client = kit.client(*stores, live=None)
        client.app.state.live = worker
        return client

    return made


@pytest.fixture(scope="module")
def client(swept, serve):
    with serve(swept) as client:
        yield client


@pytest.fixture
def altered(swept, tmp_path):
    """`altered(change)`: a copy of the store whose manifest `change` has changed."""

    def alter(change, name="shapes"):
        folder = tmp_path / name
        shutil.copytree(swept, folder, ignore=shutil.ignore_patterns("ann", "atlas"))
        content = json.loads((folder / "manifest.json").read_text())
        change(content)
        (folder / "manifest.json").write_text(json.dumps(content))
        return folder

    return alter


def pixels_of(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(response.content)))


def array(client, image, layer, **query):
    response = client.get(f"{API}/images/{image}/maps/{layer}/array", params=query)
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content))


def own_file(client, image):
    return client.get(f"{API}/images/{image}/pixels").content


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def is_problem(response, status, words):
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]


# The same numbers as the sweep


def test_an_uploaded_image_of_the_dataset_gets_the_stores_own_feature(store, worker):
    for image in range(0, store.images_count, 7):
        answer = worker.ask({"op": "feature", "model": model_facts(store.manifest)}, store.pixels(image))
        assert answer.head["same_arithmetic"]
        assert np.array_equal(np.frombuffer(answer.body, np.float32), store.feature(image))


@pytest.mark.parametrize("image", [0, 31, 59])
def test_the_maxima_of_the_maps_are_the_stores(client, store, image):
    for row in store.layers:
        maps = array(client, image, row.layer)
        assert maps.shape == (row.units, row.height, row.width)
        swept = store.maxima_of_layer(row.layer, np.array([image]))[:, 0]
        assert np.array_equal(maps.max((1, 2)), swept)
        if row.kind != "vector":
            places = [int(store.positions(row.layer, unit)[image]) for unit in range(row.units)]
            assert maps.reshape(row.units, -1).argmax(1).tolist() == places


@pytest.mark.parametrize("image", [3, 44])
def test_an_upload_is_its_own_nearest_neighbour(client, store, image):
    data = own_file(client, image)
    for sent in (
        {"content": data, "headers": {"content-type": "image/jpeg"}},
        {"content": data},
        {"files": {"image": ("a.jpg", data, "image/jpeg")}},
        {"files": {"anything": ("a.jpg", data, "image/jpeg")}, "data": {"note": "x"}},
    ):
        response = client.post(f"{API}/neighbors/upload?k=5", **sent)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        assert "etag" not in response.headers
        found = response.json()
        assert found["image_id"] is None
        assert (found["neighbors"][0]["image_id"], found["neighbors"][0]["distance"]) == (image, 0)
        rest = client.get(f"{API}/neighbors", params={"image": image, "k": 4}).json()["neighbors"]
        assert [(one["image_id"], one["distance"]) for one in found["neighbors"][1:]] == [
            (one["image_id"], one["distance"]) for one in rest
        ]
        row = store.image(image)
        best = found["query"]["prediction"][0]
        assert best["class_index"] == row["predicted"]
        assert best["class_name"] == store.classes[row["predicted"]]
        assert best["probability"] == pytest.approx(row["probability"], abs=1e-6)
        assert sum(one["probability"] for one in found["query"]["prediction"]) == pytest.approx(1)
        assert (found["query"]["width"], found["query"]["height"]) == (row["width"], row["height"])


def test_searches_take_the_same_options(client, store):
    data = own_file(client, 3)
    query = {"k": 3, "metric": "cosine", "where": "label = 'cross'", "exact": True}
    found = client.post(f"{API}/neighbors/upload", params=query, content=data).json()
    assert found["metric"] == "cosine"
    assert {one["label"] for one in found["neighbors"]} == {"cross"}
    is_problem(client.post(f"{API}/neighbors/upload?where=((", content=data), 422, "((")
    assert client.post(f"{API}/neighbors/upload?k=0", content=data).status_code == 422


@pytest.mark.parametrize("box", [(2, 3, 20, 21), (0, 0, 7, 24), (5, 1, 6, 2), (-9, -9, 999, 999)])
def test_a_region_is_asked_about_as_if_it_were_an_image(client, box):
    whole = np.asarray(Image.open(io.BytesIO(own_file(client, 20))).convert("RGB"))
    clipped = [max(box[0], 0), max(box[1], 0), min(box[2], whole.shape[1]), min(box[3], whole.shape[0])]
    address = f"{API}/images/20/neighbors-of-region"
    response = client.get(address, params={"box": ",".join(map(str, box)), "k": 6})
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["box"], found["image_id"]) == (clipped, 20)
    cut = png(whole[clipped[1] : clipped[3], clipped[0] : clipped[2]])
    uploaded = client.post(f"{API}/neighbors/upload?k=7", content=cut).json()
    wanted = [(one["image_id"], one["distance"]) for one in uploaded["neighbors"] if one["image_id"] != 20][
        :6
    ]
    assert [(one["image_id"], one["distance"]) for one in found["neighbors"]] == wanted
    assert found["query"]["prediction"] == uploaded["query"]["prediction"]
    moved = np.array(uploaded["query"]["seen"]) + np.array(clipped[:2] * 2)
    assert found["query"]["seen"] == moved.tolist()


def test_a_region_that_is_none_is_refused(client):
    address = f"{API}/images/20/neighbors-of-region"
    is_problem(client.get(address, params={"box": "500,500,510,510"}), 422, "lies outside the image")
    assert client.get(address, params={"box": "9,9,2,2"}).status_code == 422
    assert client.get(address).status_code == 422
    assert client.get(f"{API}/images/60/neighbors-of-region", params={"box": "0,0,9,9"}).status_code == 404


# Pictures


@pytest.mark.parametrize("query", [{}, {"scale": "layer"}, {"scale": "dataset", "zoom": 3}])
@pytest.mark.parametrize("layer", ["stem.0", "block"])
def test_a_mosaic_shows_the_maps(client, store, layer, query):
    maps = array(client, 12, layer)
    facts = client.get(f"{API}/images/12/maps/{layer}/facts", params=query).json()
    scale, zoom = query.get("scale", "unit"), query.get("zoom", 1)
    assert (facts["scale"], facts["units"]) == (scale, len(maps))
    highest = store.units(layer).column("max").to_numpy()
    levels = pictures.gray(maps, *pictures.limits(maps, scale, highest))
    mosaic = pictures.mosaic_of(len(maps), maps.shape[1:], zoom)
    found = pixels_of(client.get(f"{API}/images/12/maps/{layer}", params=query))
    exact = pictures.draw(levels, mosaic, zoom)
    assert found.shape == exact.shape
    assert np.abs(found.astype(int) - exact).max() <= 1  # a batch of one differs by rounding
    assert found.shape == (facts["mosaic"]["height"], facts["mosaic"]["width"])
    assert np.array_equal(found, pixels_of(client.get(facts["picture"])))
    assert np.array_equal(maps, np.load(io.BytesIO(client.get(facts["array"]).content)))


def test_a_vector_is_a_mosaic_of_points_on_one_scale(client, store):
    found = pixels_of(client.get(f"{API}/images/12/maps/head.2"))
    values = array(client, 12, "head.2")[:, 0, 0]
    assert found.size >= len(values)
    assert found.flatten()[values.argmax()] == 255
    is_problem(client.get(f"{API}/images/12/maps/head.2?unit=1"), 409, "one position")
    is_problem(client.get(f"{API}/images/12/maps/head.2?scale=unit"), 422, "scale=unit")


def test_one_units_map_covers_the_models_input(client, store):
    row = store.layer("block")
    found = pixels_of(client.get(f"{API}/images/12/maps/block?unit=5"))
    assert found.shape == (24, 24, 3)
    one = array(client, 12, "block", unit=5)
    assert np.array_equal(one, array(client, 12, "block")[5])
    y, x = np.unravel_index(one.argmax(), one.shape)
    centre = [
        int(start + rf / 2 + stride * place)
        for start, rf, stride, place in (
            (row.start_y, row.rf_height, row.stride_y, y),
            (row.start_x, row.rf_width, row.stride_x, x),
        )
    ]
    brightest = found.astype(int).sum(2)
    assert brightest[min(centre[0], 23), min(centre[1], 23)] == brightest.max()
    over = pixels_of(client.get(f"{API}/images/12/maps/block?unit=5&overlay=true"))
    assert over.shape == (24, 24, 4)
    assert over[..., 3].max() == (255 if one.max() > 0 else 0)


def test_where_the_input_lies_in_the_image(client, store):
    row = store.image(13)
    facts = client.get(f"{API}/images/13/maps/block/facts").json()
    x0, y0, x1, y1 = facts["seen"]
    for length in (x1 - x0, y1 - y0):  # rounded outwards
        assert min(row["width"], row["height"]) <= length <= min(row["width"], row["height"]) + 1
    uploaded = client.post(f"{API}/neighbors/upload", content=own_file(client, 13)).json()
    assert uploaded["query"]["seen"] == facts["seen"]


def test_a_frame_of_a_camera(client, store):
    data = own_file(client, 12)
    response = client.post(f"{API}/live/maps?layer=block&zoom=2", content=data)
    found = pixels_of(response)
    assert np.array_equal(found, pixels_of(client.get(f"{API}/images/12/maps/block?zoom=2")))
    facts = json.loads(response.headers["Unitscope-Live"])
    assert response.headers["Unitscope-Live"].isascii()
    assert facts["mosaic"]["height"], facts["mosaic"]["width"] == found.shape
    assert facts["prediction"][0]["class_index"] == store.image(12)["predicted"]
    assert facts["seconds"] > 0
    assert response.headers["cache-control"] == "no-store"
    one = client.post(f"{API}/live/maps?layer=block&unit=3", content=data)
    assert pixels_of(one).shape == (24, 24, 3)
    assert json.loads(one.headers["Unitscope-Live"])["mosaic"] is None


def test_the_first_layers_filters(client, store):
    found = pixels_of(client.get(f"{API}/layers/stem.0/filters?zoom=1"))
    facts = client.get(f"{API}/layers/stem.0/filters/facts?zoom=1").json()
    assert (facts["rgb"], facts["units"], facts["channels"], facts["unit"]) == (True, 12, 3, None)
    assert found.shape == (facts["mosaic"]["height"], facts["mosaic"]["width"], 3)
    for cell in range(12):
        row, column = divmod(cell, facts["mosaic"]["columns"])
        part = found[row * 6 : row * 6 + 5, column * 6 : column * 6 + 5].astype(int)
        assert {1, 255} & {part.min(), part.max()}  # each filter on its own scale, 0 in the middle
    assert "as the preprocessing leaves them" in facts["shown"]
    whole = client.get(f"{API}/layers/stem.0/filters/facts?scale=layer").json()["largest"]
    assert set(whole) == {max(facts["largest"])}


def test_a_deeper_filter_is_shown_a_unit_at_a_time(client):
    is_problem(
        client.get(f"{API}/layers/block.norm/filters"), 422, "read 12 channels each: name one of its units"
    )
    facts = client.get(f"{API}/layers/block.norm/filters/facts?unit=4").json()
    assert (facts["module"], facts["normalisation"], facts["first_channel"]) == (
        "block.conv",
        "block.norm",
        0,
    )
    found = pixels_of(client.get(facts["picture"]))
    assert found.shape == (facts["mosaic"]["height"], facts["mosaic"]["width"])
    assert len(set(facts["largest"])) == 1


def test_filters_that_are_none_say_why(client):
    is_problem(client.get(f"{API}/layers/head.2/filters"), 409, "is linear")
    is_problem(client.get(f"{API}/layers/block/filters"), 409, "neither a 2-d convolution nor")


# What is not there


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (404, "/images/60/maps/block"),
        (404, "/images/0/maps/nope"),
        (404, "/images/0/maps/block?unit=12"),
        (404, "/images/0/maps/block/array?unit=12"),
        (404, "/images/0/maps/nope/facts"),
        (404, "/layers/nope/filters"),
        (404, "/layers/stem.0/filters?unit=12"),
        (422, "/images/0/maps/block?unit=-1"),
        (422, "/images/0/maps/block?scale=none"),
        (422, "/images/0/maps/block?zoom=0"),
        (422, "/images/0/maps/block?zoom=33"),
        (422, "/layers/stem.0/filters?zoom=99"),
        (422, "/layers/stem.0/filters?scale=dataset"),
    ],
)
def test_bad_questions(client, status, path):
    is_problem(client.get(API + path), status, "")


def bomb():
    """A PNG whose header says 60,000 x 60,000."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize("path", ["/neighbors/upload", "/live/maps?layer=block"])
def test_bad_uploads(client, path):
    data = own_file(client, 0)
    address = API + path
    is_problem(client.post(address, content=bomb()), 422, "too_large")
    is_problem(client.post(address, content=data[: len(data) // 2]), 422, "undecodable")
    is_problem(client.post(address, content=b"no image"), 422, "undecodable")
    is_problem(client.post(address, content=b""), 422, "no body")
    is_problem(client.post(address, content=bytes(21 << 20)), 413, "")
    is_problem(client.post(address, content=iter([bytes(1 << 20)] * 22)), 413, "")
    is_problem(client.post(address, content=png(np.zeros((1, 400_000, 3), np.uint8))), 422, "too_large")
    is_problem(client.post(address, files={}, data={"image": "text"}), 422, "")
    form = {"content-type": "multipart/form-data; boundary=x"}
    is_problem(client.post(address, content=b"--x\r\n\r\n--x--\r\n", headers=form), 400, "")
    is_problem(client.post(address, content=b"nonsense", headers=form), 400, "")
    is_problem(client.post(address, content=b"--x--\r\n", headers=form), 422, "has no file")
    many = [(f"f{number}", ("a", data)) for number in range(3)]
    is_problem(client.post(address, files=many), 400, "")
    assert client.post(address, content=data).status_code == 200


def test_a_form_that_is_cut_off_is_no_image(client):
    data = own_file(client, 0)
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    form = {"content-type": "multipart/form-data; boundary=x"}
    whole = head + data + b"\r\n--x--\r\n"
    assert client.post(f"{API}/neighbors/upload", content=whole, headers=form).status_code == 200
    for cut in (len(head) + len(data) // 2, len(head) - 9, len(head) + 3):
        response = client.post(f"{API}/neighbors/upload", content=whole[:cut], headers=form)
        assert response.status_code in (400, 422), cut


def test_large_images_are_taken(client):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    data = png(noise)
    assert 8 << 20 < len(data) < 20 << 20
    response = client.post(f"{API}/neighbors/upload", content=data)
    assert response.status_code == 200, response.text
    assert response.json()["query"]["seen"] == [250, 0, 1750, 1500]


# The wrong model, or none


def test_another_network_is_refused(altered, serve):
    wrong = altered(lambda content: content["fingerprints"].update(weights="0" * 64))
    with serve(wrong) as client:
        data = own_file(client, 0)
        for response in (
            client.get(f"{API}/images/0/maps/block"),
            client.post(f"{API}/neighbors/upload", content=data),
            client.get(f"{API}/layers/stem.0/filters"),
        ):
            is_problem(response, 409, "is no longer the network that was swept: its weights")
        assert client.get(f"{API}/layers/block/units/3/patches").status_code == 200


def test_other_preprocessing_and_other_code_are_refused(altered, serve, tmp_path):
    def moved(change):
        def alter(content):
            path, _, factory = content["model"]["spec"].rpartition(":")
            source = Path(path).read_text()
            assert change[0] in source
            other = tmp_path / f"{change[1][:6]}.py"
            other.write_text(source.replace(*change))
            content["model"]["spec"] = f"{other}:{factory}"

        return alter

    with serve(altered(moved(("0.25, 0.25", "0.2, 0.25")))) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 409, "its preprocessing")
    with serve(altered(moved(("stride=2", "stride=1")), "more/shapes")) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 409, "has no layer block such as the store's")


def test_absent_code_or_weights_are_told(altered, serve, tmp_path):
    gone = altered(lambda content: content["model"].update(spec="/nowhere/model.py:net@random"))
    with serve(gone) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 503, "there is no file /nowhere/model.py")

    def alter(content):
        content["model"]["spec"] = content["model"]["spec"].removesuffix("@random")
        content["model"]["weights_file"] = "/nowhere/weights.safetensors"

    with serve(altered(alter, "more/shapes")) as client:
        is_problem(client.get(f"{API}/images/0/maps/block"), 503, "/nowhere/weights.safetensors")
        assert client.get(f"{API}/images/0").status_code == 200


def test_two_stores_and_a_third_without_a_model(swept, altered, serve, tmp_path):
    shutil.copytree(swept, tmp_path / "same")
    gone = altered(lambda content: content["model"].update(spec="/nowhere/model.py:net@random"), "gone")
    with serve(swept, tmp_path / "same", gone) as client:
        for _ in range(2):
            both = [
                client.get(f"/api/v1/stores/{name}/images/1/maps/block").content
                for name in ("shapes", "same")
            ]
            assert both[0] == both[1]
            assert client.get("/api/v1/stores/gone/images/1/maps/block").status_code == 503
        assert client.get("/api/v1/stores/gone/live").json()["restarts"] == 0


def test_without_a_model_all_else_is_answered(swept, kit, serve):
    with serve(swept) as client:
        etag = client.get(f"{API}/images/1/maps/block").headers["etag"]
    with kit.client(swept, live=None) as client:
        assert client.get(f"{API}/live").json()["state"] == "off"
        is_problem(client.get(f"{API}/images/1/maps/block"), 503, "without a model")
        is_problem(client.post(f"{API}/neighbors/upload", content=b"x"), 503, "without a model")
        kept = client.get(f"{API}/images/1/maps/block", headers={"If-None-Match": etag})
        assert kept.status_code == 304
        for path in ("/images/1", "/neighbors?image=1", "/images/1/maps/block/facts", "/images/1/pixels"):
            assert client.get(API + path).status_code == 200


def test_pictures_are_kept_by_their_version(client):
    facts = client.get(f"{API}/images/1/maps/block/facts").json()
    first = client.get(facts["picture"])
    assert "immutable" in first.headers["cache-control"]
    again = client.get(facts["picture"], headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    other = client.get(facts["picture"] + "&unit=1")
    assert other.headers["etag"] != first.headers["etag"]


def test_a_manifest_that_does_not_name_the_feature_is_a_problem(swept, serve, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(swept, folder, ignore=shutil.ignore_patterns("ann", "atlas"))
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["model"]["feature"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with serve(folder) as client:
        assert client.get(f"{API}/layers").status_code == 200
        said = client.get(f"{API}/images/1/maps/block")
    assert (said.status_code, said.json()["type"]) == (503, "urn:unitscope:store-damaged")
    assert "'feature'" in said.json()["detail"] and "sweep again" in said.json()["detail"]


def test_the_client_asks_for_a_frame(live, store):
    picture = store.pixels(1)
    with Client(str(live.base_url)) as client:
        frame = client.store("shapes").frame(picture, "block", zoom=2)
    by_hand = live.post(f"{API}/live/maps?layer=block&zoom=2", content=picture)
    assert frame.picture.tobytes() == Image.open(io.BytesIO(by_hand.content)).tobytes()
    facts = json.loads(by_hand.headers["Unitscope-Live"])
    assert frame.facts.model_dump(mode="json") | {"seconds": 0} == facts | {"seconds": 0}
