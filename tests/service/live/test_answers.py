"""The live model against the store that the same network filled: equal numbers, true pictures."""

import io
import json

import numpy as np
import pytest
from live_answers import API, array, is_problem, own_file, pixels_of, png
from PIL import Image
from unitscope.service.client import Client
from unitscope.service.live import mosaics as pictures
from unitscope.service.live.model_spec import model_facts

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


def test_pictures_are_kept_by_their_version(client):
    facts = client.get(f"{API}/images/1/maps/block/facts").json()
    first = client.get(facts["picture"])
    assert "immutable" in first.headers["cache-control"]
    again = client.get(facts["picture"], headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    other = client.get(facts["picture"] + "&unit=1")
    assert other.headers["etag"] != first.headers["etag"]


def test_the_client_asks_for_a_frame(live, store):
    picture = store.pixels(1)
    with Client(str(live.base_url)) as client:
        frame = client.store("shapes").frame(picture, "block", zoom=2)
    by_hand = live.post(f"{API}/live/maps?layer=block&zoom=2", content=picture)
    assert frame.picture.tobytes() == Image.open(io.BytesIO(by_hand.content)).tobytes()
    facts = json.loads(by_hand.headers["Unitscope-Live"])
    assert frame.facts.model_dump(mode="json") | {"seconds": 0} == facts | {"seconds": 0}
