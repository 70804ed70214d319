"""The API's answers against the oracle: what the synthetic store was made from."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from unitscope.index.neighbors.choice import AnnChoice
from unitscope.index.neighbors.tune import OperatingPoint

API = "/api/v1/stores/store"
LAYERS = {"features.0": 0, "block.1:0": 1, "head": 2}


def get(client, path, **params):
    response = client.get(f"{API}{path}", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def rows(made, names):
    return [made.images[name].to_pylist() for name in names]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("k", [1, 9, 10, 300])
def test_patches_are_those_of_sorting_everything(client, made, layer, k):
    number = LAYERS[layer]
    for unit in (0, 1, made.layers[number].units - 1):
        found = get(client, f"/layers/{layer}/units/{unit}/patches", k=k)
        width = made.layers[number].width
        expected = [
            (rank, value, image, *divmod(flat, width))
            for rank, (value, image, flat) in enumerate(made.top(number, unit, k), start=1)
        ]
        keys = ("rank", "value", "image_id", "y", "x")
        assert [tuple(patch[key] for key in keys) for patch in found["patches"]] == expected
        assert found["exact"] is True


def test_patches_under_a_filter(client, made):
    labels, split = rows(made, ["label", "split"])
    mask = np.array([one == "cat" and two == "train" for one, two in zip(labels, split, strict=True)])
    where = "label = 'cat' and split = 'train'"
    found = get(client, "/layers/features.0/units/7/patches", k=20, where=where)
    assert [patch["image_id"] for patch in found["patches"]] == [
        image for _, image, _ in made.top(0, 7, 20, mask)
    ]
    assert found["where"] == where


def test_a_filter_that_keeps_nothing_is_an_empty_answer(client):
    assert get(client, "/layers/features.0/units/7/patches", where="label = 'nobody'")["patches"] == []


def test_a_patch_says_all_that_is_known_of_it(client, made):
    names = ["uri", "width", "height", "label", "label_index", "predicted", "probability"]
    columns = dict(zip(names, rows(made, names), strict=True))
    for patch in get(client, "/layers/features.0/units/3/patches", k=30)["patches"]:
        image = patch["image_id"]
        assert {name: patch[name] for name in names} == {name: columns[name][image] for name in names}
        names_of = ("ant", "bee", "cat", "dog")
        assert patch["predicted_class"] == names_of[patch["predicted"]]
        assert patch["label_class"] == (
            None if patch["label_index"] is None else names_of[patch["label_index"]]
        )
        x0, y0, x1, y1 = patch["box"]
        vx0, vy0, vx1, vy1 = patch["view"]
        assert 0 <= x0 <= vx0 < vx1 <= x1 <= patch["width"]
        assert 0 <= y0 <= vy0 < vy1 <= y1 <= patch["height"]


def test_every_address_in_an_answer_answers(client):
    patch = get(client, "/layers/features.0/units/3/patches", k=1)["patches"][0]
    neighbor = get(client, "/neighbors", image=1, k=1)["neighbors"][0]
    cell = get(client, "/atlases/flat/grid")["cells"][0]
    image = get(client, "/images/1")
    for address in (
        *(patch[name] for name in ("image", "crop", "thumb")),
        image["pixels"],
        neighbor["thumb"],
        cell["picture"],
    ):
        response = client.get(address)
        assert response.status_code == 200, address
        assert response.headers["content-type"].startswith("image/")
        assert "immutable" in response.headers["cache-control"]


def test_units_come_in_pages_that_join_to_the_whole(client, made):
    found, following = [], {}
    while following is not None:
        page = get(client, "/layers/features.0/units", limit=13, **following)
        found += page["units"]
        following = page["next"] and {"cursor": page["next"]}
    assert [unit["unit"] for unit in found] == list(range(40))
    values = made.values[0][~made.failed].astype(np.float64)
    assert [unit["mean"] for unit in found] == pytest.approx(values.mean(axis=0).tolist())
    assert [unit["active"] for unit in found] == pytest.approx((values > 0).mean(axis=0).tolist())
    assert found[3] == {
        name: value for name, value in get(client, "/layers/features.0/units/3").items() if name in found[3]
    }


def test_an_image_has_its_metadata_apart(client, made):
    image = get(client, "/images/8")
    split, weight, label, predicted = (
        column[8] for column in rows(made, ["split", "weight", "label_index", "predicted"])
    )
    assert image["metadata"] == {"split": split, "weight": weight}
    assert image["correct"] == (None if label is None else label == predicted)


def test_a_failed_image_says_so(client):
    image = get(client, "/images/70")
    assert (image["status"], image["width"], image["predicted"]) == ("undecodable", None, None)
    response = client.get(f"{API}/neighbors", params={"image": 70})
    assert response.status_code == 422
    assert "undecodable" in response.json()["detail"]


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_neighbours_are_those_of_comparing_everything(client, made, metric):
    features = made.feature.astype(np.float64)
    for image in (0, 33, 199):
        gaps = np.sqrt(((features - features[image]) ** 2).sum(axis=1))
        if metric == "cosine":
            lengths = np.sqrt((features**2).sum(axis=1))
            gaps = 1 - features @ features[image] / (lengths * lengths[image])
        gaps[made.failed] = np.inf
        gaps[image] = np.inf
        found = get(client, "/neighbors", image=image, k=12, metric=metric)
        assert [one["image_id"] for one in found["neighbors"]] == np.argsort(gaps, kind="stable")[
            :12
        ].tolist()
        assert [one["distance"] for one in found["neighbors"]] == pytest.approx(
            np.sort(gaps)[:12].tolist(), rel=1e-5
        )
        assert (found["metric"], found["exact"], found["recall"], found["image_id"]) == (
            metric,
            True,
            None,
            image,
        )


def test_neighbours_under_a_filter(client, made):
    labels = rows(made, ["label"])[0]
    found = get(client, "/neighbors", image=4, k=300, where="label = 'bee'")["neighbors"]
    bees = {image for image, label in enumerate(labels) if label == "bee" and not made.failed[image]} - {4}
    assert {one["image_id"] for one in found} == bees


def test_neighbours_of_a_vector_are_those_of_its_image_and_the_image(client, made):
    body = {"vector": made.feature[9].tolist(), "k": 5}
    response = client.post(f"{API}/neighbors", json=body)
    found = response.json()["neighbors"]
    assert (found[0]["image_id"], found[0]["distance"]) == (9, 0.0)
    without = get(client, "/neighbors", image=9, k=4)["neighbors"]
    assert [one["image_id"] for one in found[1:]] == [one["image_id"] for one in without]
    assert response.headers["cache-control"] == "no-store"


def test_an_answer_states_how_it_was_found(synthetic, kit, tmp_path, monkeypatch):
    from unitscope.index.neighbors import index
    from unitscope.service.queries import neighbors as nearest
    from unitscope.service.stores.neighbors import Neighbors

    made = synthetic.make_store(tmp_path / "store")
    kit.index(made, choice=AnnChoice("ivf", 4, 200, (made.feature.shape[1],)))
    monkeypatch.setattr(index, "_EXACT_NUMBERS", 0)
    with kit.client(made.url) as client:
        served = client.app.state.registry.get("store").value
        ann = served.ann().value

        def ask(reach, **options):
            point = OperatingPoint(30, ann.index.lists, 60, 0.96, reach)
            known = replace(ann, points=(point,), manifest={"recall_at_10": 0.99})
            said = nearest.neighbors_of_image(
                served, Neighbors(known, None), 1, nearest.Search(**options)
            ).answer()
            return said.search, said.exact, said.recall, said.recall_of

        for options, recall in (
            ({}, (0.99, 10)),
            ({"k": 20}, (0.96, 30)),
            ({"where": "loss > 0"}, (0.99, 10)),
        ):
            assert ask(np.inf, **options) == ("index", False, *recall)
        for options in ({"exact": True}, {"metric": "cosine"}, {"k": 31}):
            assert ask(np.inf, **options) == ("exact", True, None, None)
        assert ask(0.0) == (
            "exact",
            True,
            None,
            None,
        )  # beyond the reach; there are few enough to compare all
        monkeypatch.setattr(index, "_ALL_NUMBERS", 0)
        assert ask(0.0) == ask(0.0, where="loss > 0") == ("wide", False, None, None)


def test_the_grid_is_the_atlas_s(client, made):
    whole = get(client, "/atlases/flat/grid")
    assert whole["side"] == 6
    placed = {(cell["row"], cell["column"]): cell for cell in whole["cells"]}
    assert sum(cell["items"] for cell in whole["cells"]) == int((~made.failed).sum())
    window = get(client, "/atlases/flat/grid", row=2, column=3, rows=2, columns=100)
    assert (window["rows"], window["columns"]) == ([2, 4], [3, 6])
    for row, column in itertools.product(range(2, 4), range(3, 6)):
        inside = [cell for cell in window["cells"] if (cell["row"], cell["column"]) == (row, column)]
        assert inside == ([placed[row, column]] if (row, column) in placed else [])


ANSWERS = (
    "",
    "/layers",
    "/layers/features.0/units",
    "/layers/features.0/units/1",
    "/layers/features.0/units/1/patches",
    "/images/1",
    "/neighbors?image=1",
    "/atlases",
    "/atlases/flat",
    "/atlases/flat/grid",
)


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_says_what_it_is_made_from(client, made, kit, path):
    answer = client.get(API + path).json()
    assert answer["random"] is True
    assert answer["manifest"] == kit.hash(made)
    assert (answer["maxima_dtype"], answer["feature_dtype"], answer["precision"]) == (
        "float32",
        "float32",
        "exact",
    )


def test_float16_maxima_are_said(synthetic, kit, tmp_path):
    import pyarrow as pa

    made = synthetic.make_store(tmp_path / "half", maxima_type=pa.float16())
    with kit.client(made.url) as client:
        found = client.get("/api/v1/stores/half/layers/features.0/units/3/patches").json()
        assert found["maxima_dtype"] != "float32"
        page = client.get("/stores/half/units/features.0/3").text
        assert f"Maxima are stored as {found['maxima_dtype']}" in page


def test_two_stores_of_one_name_are_told_apart(synthetic, kit, tmp_path):
    for folder, seed in (("a", 1), ("b", 2)):
        synthetic.make_store(tmp_path / folder / "same name", seed=seed)
    with kit.client(tmp_path / "a" / "same name", tmp_path / "b" / "same name") as client:
        names = [store["name"] for store in client.get("/api/v1/stores").json()["stores"]]
        assert names == ["same name", "same name-2"]
        first, second = (client.get(f"/api/v1/stores/{name}/layers/head/units/1").json() for name in names)
        assert first["mean"] != second["mean"]
        assert client.get(client.get("/api/v1/stores/same name/images/3").json()["thumb"]).status_code == 200


def test_metadata_of_any_type_is_answered(synthetic, kit, tmp_path, monkeypatch):
    import datetime

    made = synthetic.make_store(tmp_path / "store")
    odd = {
        "when": datetime.datetime(2024, 1, 2),
        "raw": b"\xff\x00",
        "nan": float("nan"),
        "list": [1.0, float("inf")],
    }
    with kit.client(made.url) as client:
        store = client.app.state.registry.get("store").value.store
        whole = store.image(3)
        monkeypatch.setattr(store, "image", lambda image_id: whole | odd)
        metadata = client.get("/api/v1/stores/store/images/3").json()["metadata"]
    assert metadata["nan"] is None
    assert metadata["list"] == [1.0, None]
    assert metadata["when"].startswith("2024-01-02")
