"""The API's classes and lists of images against the oracle, and what it finds noteworthy."""

from html import escape
from urllib.parse import quote, unquote

import numpy as np
import pytest
from altered_stores import altered, relabel
from unitscope.service.pages.rendering.urls import class_url
from unitscope.service.paths import class_address

API = "/api/v1/stores/store"
ODD = ("größe/klein", "zebra", "a/b c?", "50% #1", "😀", "..", ".", "a/../b")
"""Labels that are hard on addresses."""


def _odd(made):
    labels = [None if image % 7 == 0 else ODD[image % len(ODD)] for image in range(200)]
    relabel(made, labels, [None if label is None else ODD.index(label) % 4 for label in labels])


@pytest.fixture(scope="module", params=["plain", "odd"])
def case(request, synthetic, kit, tmp_path_factory):
    """(what went into a store, a client of it)."""
    folder = tmp_path_factory.mktemp("classes")
    options = {"dataset": folder / "data"}
    if request.param == "plain":
        made = synthetic.make_store(folder / "store", **options)
    else:
        made = altered(synthetic, folder / "store", _odd, **options)
    with kit.client(made.url) as client:
        yield made, client


def get(client, path, **params):
    response = client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def pages(client, path, rows, **params):
    """All rows of all pages."""
    found, page = [], get(client, path, **params)
    while True:
        found += page[rows]
        if page["next"] is None:
            assert page["found"] == len(found)
            return found
        page = get(client, path, **params, cursor=page["next"])


def labels_of(made):
    return sorted(set(made.images["label"].to_pylist()) - {None}, key=str.encode)


@pytest.mark.parametrize("sort", ["label", "accuracy", "images", "mean_loss"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_classes_are_sorted_across_pages(case, sort, order):
    made, client = case
    found = pages(client, f"{API}/classes", "classes", sort=sort, order=order, limit=2)
    by_label = pages(client, f"{API}/classes", "classes")
    assert [row["label"] for row in by_label] == labels_of(made)

    def key(place):
        value = by_label[place][sort] if sort != "label" else place
        return (value is None, 0 if value is None else -value if order == "desc" else value, place)

    assert found == [by_label[place] for place in sorted(range(len(by_label)), key=key)]


def test_a_class_is_what_its_images_are(case):
    made, client = case
    rows = made.images.to_pylist()
    for label in labels_of(made):
        found = client.get(f"{API}/{class_address(label)}").json()
        assert found == get(client, f"{API}/class", label=label)
        if ".." not in label and label != ".":
            assert found == get(client, f"{API}/classes/{quote(label)}")  # slashes as they are
        images = [row for row in rows if row["label"] == label and row["status"] == "ok"]
        right = sum(row["predicted"] == found["label_index"] for row in images)
        assert (found["label"], found["images"]) == (label, len(images))
        if found["label_index"] is not None:
            assert (found["correct"], found["accuracy"]) == (right, right / len(images))
        hard = sorted((row for row in images), key=lambda row: (-row["loss"], row["image_id"]))[:24]
        assert [row["image_id"] for row in found["hardest"]] == [row["image_id"] for row in hard]
        assert found["typical_by"] == "feature"
        gaps = [row["distance"] for row in found["typical"]]
        assert gaps == sorted(gaps)
        assert all(unit["label"] == label for unit in found["units"])
        for one in found["confusions"]:
            assert one["predicted_class"] == ("ant", "bee", "cat", "dog")[one["predicted"]]
            assert one["share"] == one["images"] / len(images)


def test_every_address_in_an_answer_answers(case):
    made, client = case
    found = get(client, f"{API}/class", label=labels_of(made)[0])
    image = get(client, f"{API}/images", limit=1)["images"][0]
    unit = get(client, f"{API}/images/3/units")["layers"][0]["units"][0]
    for address in (
        found["hardest"][0]["thumb"],
        found["typical"][0]["thumb"],
        found["units"][0]["picture"] if found["units"] else image["thumb"],
        image["thumb"],
        unit["crop"],
    ):
        assert client.get(address).status_code == 200, address


def test_a_class_is_found_by_the_model_s_number(case):
    _, client = case
    for row in pages(client, f"{API}/classes", "classes"):
        if row["label_index"] is not None:
            found = get(client, f"{API}/label-indices/{row['label_index']}/class")
            assert found["label_index"] == row["label_index"]
    assert client.get(f"{API}/label-indices/77/class").status_code == 404


def test_unknown_classes_are_told(case):
    _, client = case
    for path in ("/classes/nobody", "/classes/" + "x" * 1000, "/classes/%00", "/classes/"):
        response = client.get(API + path)
        assert response.status_code == 404, path
        assert response.headers["content-type"] == "application/problem+json"
    assert client.get(f"{API}/classes/{'x' * 1001}").status_code == 422
    assert client.get(f"{API}/classes", params={"sort": "size"}).status_code == 422


WHERE = {
    "label = 'bee'": lambda row: row["label"] == "bee",
    "status = 'ok' and loss > 0.5": lambda row: (row["loss"] or 0) > 0.5,
    "": lambda row: True,
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("sort", ["image_id", "loss", "probability"])
@pytest.mark.parametrize("order", ["asc", "desc", None])
def test_images_are_listed_across_pages(client, made, where, sort, order):
    params = {"where": where, "sort": sort, "limit": 33} | ({"order": order} if order else {})
    found = pages(client, f"{API}/images", "images", **params)
    downwards = order == "desc" or (order is None and sort != "image_id")

    def key(row):
        value = row[sort]
        return (value is None, 0 if value is None else -value if downwards else value, row["image_id"])

    expected = sorted((row for row in made.images.to_pylist() if WHERE[where](row)), key=key)
    names = ("image_id", "uri", "label", "label_index", "predicted", "probability", "loss", "status", "width")
    assert [{name: row[name] for name in names} for row in found] == [
        {name: row[name] for name in names} for row in expected
    ]
    assert all(
        row["correct"]
        == (
            None if None in (row["label_index"], row["predicted"]) else row["label_index"] == row["predicted"]
        )
        for row in found
    )


def test_bad_lists_of_images_are_refused(client):
    for params in ({"where": "label"}, {"sort": "uri"}, {"limit": 1001}, {"cursor": "1-0123456789ab"}):
        assert client.get(f"{API}/images", params=params).status_code == 422


def test_the_units_of_an_image(client, made):
    found = get(client, f"{API}/images/9/units", k=8)
    assert [layer["layer"] for layer in found["layers"]] == ["features.0", "block.1:0", "head"]
    assert found["images"] == int((~made.failed).sum())
    for number, layer in enumerate(found["layers"]):
        values = made.values[number].astype(np.float64)
        swept = values[~made.failed]
        std = swept.std(axis=0)
        scores = np.divide(values[9] - swept.mean(axis=0), std, out=np.zeros(len(std)), where=std > 0)
        assert [unit["score"] for unit in layer["units"]] == pytest.approx(
            sorted(scores, reverse=True)[:8], rel=1e-5
        )
        for unit in layer["units"]:
            assert unit["value"] == values[9, unit["unit"]]
            assert unit["rank"] == 1 + (swept[:, unit["unit"]] > unit["value"]).sum()
    only = get(client, f"{API}/images/9/units", k=8, layer="head")["layers"]
    assert only == found["layers"][2:]


def test_the_units_of_odd_images(client):
    failed = get(client, f"{API}/images/70/units")
    assert (failed["layers"], failed["status"]) == ([], "undecodable")
    assert client.get(f"{API}/images/200/units").status_code == 404
    assert client.get(f"{API}/images/9/units", params={"layer": "nothing"}).status_code == 404
    assert client.get(f"{API}/images/9/units", params={"k": 9}).status_code == 422


def test_what_is_noteworthy(case):
    made, client = case
    found = get(client, f"{API}/overview")
    for number, layer in enumerate(found["dead"]):
        dead = np.flatnonzero((made.values[number][~made.failed] <= 0).all(axis=0)).tolist()
        assert (layer["units"], layer["dead"], layer["examples"]) == (
            made.layers[number].units,
            len(dead),
            dead[:10],
        )
    known = [row for row in pages(client, f"{API}/classes", "classes") if row["accuracy"] is not None]
    weakest = sorted(known, key=lambda row: (row["accuracy"], row["label"].encode()))
    assert [row["label"] for row in found["weakest"]] == [row["label"] for row in weakest]
    assert found["accuracy"] == sum(row["correct"] for row in known) / sum(row["images"] for row in known)
    rows = [row for row in made.images.to_pylist() if row["status"] == "ok" and row["label"] is not None]
    for pair in found["confusions"]:
        assert pair["images"] == sum(
            row["label"] == pair["label"] and row["predicted"] == pair["predicted"] for row in rows
        )
        assert pair["predicted"] != pair["label_index"]
    counts = [pair["images"] for pair in found["confusions"]]
    assert counts == sorted(counts, reverse=True)
    largest = [unit["selectivity"] for unit in found["selective"]]
    assert largest == sorted(largest, reverse=True)
    assert found["errors"] == {"undecodable": 3}
    assert [row["image_id"] for row in found["failed"]] == [5, 70, 71]


def test_a_store_without_labels(synthetic, kit, tmp_path):
    altered(synthetic, tmp_path / "store", lambda made: relabel(made, [None] * 200))
    with kit.client(tmp_path / "store") as client:
        found = get(client, f"{API}/classes")
        assert (found["classes"], found["found"], found["next"]) == ([], 0, None)
        assert "no labels" in found["why_none"]
        response = client.get(f"{API}/classes/cat")
        assert response.status_code == 404
        assert "no labels" in response.json()["detail"]
        noted = get(client, f"{API}/overview")
        assert (noted["weakest"], noted["confusions"], noted["selective"]) == ([], [], [])
        assert (noted["classes"], noted["accuracy"]) == (0, None)
        assert noted["dead"][0]["dead"] == 1
        assert len(get(client, f"{API}/images", sort="loss")["images"]) == 100


def test_every_answer_says_what_it_is_made_from_and_is_not_sent_twice(client, kit, made):
    for path in ("/overview", "/classes", "/classes/cat", "/images", "/images/3/units"):
        response = client.get(API + path)
        assert response.json()["manifest"] == kit.hash(made)
        again = client.get(API + path, headers={"If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304


def test_every_class_has_its_page(case):
    made, client = case
    for label in labels_of(made):
        for address in (class_url("store", label), class_url("store", label, typical=True)):
            page = client.get(address)
            assert page.status_code == 200
            assert escape(label) in page.text


@pytest.mark.parametrize("label", [*ODD, "%2e%2e", ""])
def test_an_address_ends_with_what_no_browser_changes(label):
    path, _, query = f"/{class_address(label)}".partition("?")
    assert path.rpartition("/")[2] not in ("", ".", "..", "%2e%2e", "%2E%2E")
    said = query.removeprefix("label=") if query else path.removeprefix("/classes/")
    assert unquote(said) == label
