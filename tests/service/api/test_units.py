"""The API's units against the oracle: sorting, filters, pages, ranks, histograms, quantiles, classes, likes."""

import numpy as np
import pytest
from altered_stores import altered, relabel

API = "/api/v1/stores/store"
UNITS = f"{API}/layers/features.0/units"


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


@pytest.mark.parametrize("sort", ["unit", "max", "mean", "std", "min", "active", "selectivity"])
@pytest.mark.parametrize("order", ["asc", "desc", None])
def test_units_are_sorted_across_pages(client, sort, order):
    params = {"sort": sort, "limit": 7} | ({"order": order} if order else {})
    found = pages(client, UNITS, "units", **params)
    downwards = order == "desc" or (order is None and sort != "unit")

    def key(unit):
        value = unit[sort]
        return (value is None, 0 if value is None else -value if downwards else value, unit["unit"])

    expected = sorted(found, key=key) if sort != "unit" or not downwards else found[::1]
    assert found == expected
    assert sorted(unit["unit"] for unit in found) == list(range(40))


def test_units_are_filtered(client):
    every = pages(client, UNITS, "units")
    label = every[1]["label"]
    for params, keep in (
        ({"dead": True}, lambda unit: unit["active"] == 0),
        ({"dead": False}, lambda unit: unit["active"] > 0),
        ({"min_active": 0.4}, lambda unit: unit["active"] >= 0.4),
        ({"max_active": 0.4}, lambda unit: unit["active"] <= 0.4),
        ({"min_selectivity": 0.1}, lambda unit: (unit["selectivity"] or 0) >= 0.1),
        ({"label": label}, lambda unit: unit["label"] == label),
    ):
        expected = [unit for unit in every if keep(unit)]
        assert 0 < len(expected) < 40
        assert pages(client, UNITS, "units", **params) == expected


def test_a_row_of_a_list_is_what_the_unit_says_itself(client):
    for row in pages(client, UNITS, "units"):
        alone = get(client, f"{UNITS}/{row['unit']}")
        assert {name: alone[name] for name in row} == row
        assert all(1 <= rank <= alone["ranked"][name] for name, rank in row["ranks"].items() if rank)
        assert client.get(row["picture"]).status_code == 200


def test_histogram_and_quantiles(client, made):
    for unit in (0, 1, 7):
        found = get(client, f"{UNITS}/{unit}")
        values = np.sort(made.values[0][~made.failed][:, unit])
        edges, counts = found["histogram"]["edges"], found["histogram"]["counts"]
        assert sum(counts) + found["histogram"]["not_finite"] == found["images"] == len(values)
        assert (edges[0], edges[-1]) == (found["min"], found["max"]) == (values[0], values[-1])
        if unit:
            assert counts == np.histogram(values.astype(np.float64), np.array(edges))[0].tolist()
        else:
            assert (counts, edges) == ([len(values)], [0, 0])  # dead
        quantiles = {one["quantile"]: one["value"] for one in found["quantiles"]}
        assert list(quantiles) == [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1]
        assert (
            list(quantiles.values()) == np.quantile(values, list(quantiles), method="inverted_cdf").tolist()
        )


def test_patches_around_a_quantile(client, made):
    order = made.top(0, 7, 1000)
    median = next(one["value"] for one in get(client, f"{UNITS}/7")["quantiles"] if one["quantile"] == 0.5)
    found = get(client, f"{UNITS}/7/patches", k=5, quantile=0.5)
    assert (found["quantile"], found["images"], found["where"]) == (0.5, len(order), None)
    assert median in [patch["value"] for patch in found["patches"]]
    assert [(patch["value"], patch["image_id"]) for patch in found["patches"]] == [
        order[patch["rank"] - 1][:2] for patch in found["patches"]
    ]
    assert client.get(found["patches"][2]["crop"]).status_code == 200


def test_the_strongest_are_those_around_the_largest(client):
    for where in ({}, {"where": "label = 'cat'"}):
        strongest = get(client, f"{UNITS}/7/patches", k=9, **where)
        largest = get(client, f"{UNITS}/7/patches", k=9, quantile=1, **where)
        assert strongest["patches"] == largest["patches"]
        assert strongest["images"] == largest["images"]
        assert [patch["rank"] for patch in strongest["patches"]] == list(range(1, 10))


def test_the_classes_of_a_unit(client, made):
    labels = np.array(made.images["label"].to_pylist())
    found = pages(client, f"{UNITS}/7/classes", "classes", limit=3)
    values = made.values[0][:, 7].astype(np.float64)
    for row in found:
        chosen = values[(labels == row["label"]) & ~made.failed]
        one = get(client, f"{API}/classes/{row['label']}")
        assert (row["images"], row["label_index"], row["label_class"]) == (
            len(chosen),
            one["label_index"],
            one["label_class"],
        )
        assert [row["mean"], row["active"]] == pytest.approx([chosen.mean(), (chosen > 0).mean()])
    assert [row["mean"] for row in found] == sorted((row["mean"] for row in found), reverse=True)
    assert {row["label"] for row in found} == set(labels)
    top = get(client, f"{UNITS}/7")
    assert (found[0]["label"], get(client, f"{UNITS}/7/classes")["selectivity"]) == (
        top["label"],
        top["selectivity"],
    )


def test_similar_units(client, made):
    matrix = np.corrcoef(made.values[0][~made.failed][:, 1:].astype(np.float64), rowvar=False)
    expected = sorted((-value, unit + 1) for unit, value in enumerate(matrix[6]) if unit != 6)
    found = get(client, f"{UNITS}/7/similar", k=12)
    assert (found["exact"], found["varies"], found["images"]) == (True, True, int((~made.failed).sum()))
    assert [row["rank"] for row in found["similar"]] == list(range(1, 13))
    assert [row["unit"] for row in found["similar"]] == [unit for _, unit in expected[:12]]
    assert [row["correlation"] for row in found["similar"]] == pytest.approx(
        [-value for value, _ in expected[:12]], abs=1e-6
    )
    assert len(get(client, f"{UNITS}/7/similar", k=1000)["similar"]) == 38
    dead = get(client, f"{UNITS}/0/similar")
    assert (dead["similar"], dead["varies"]) == ([], False)


WRONG = (
    ("", {"sort": "size"}, 422),
    ("", {"order": "up"}, 422),
    ("", {"min_active": 1.5}, 422),
    ("", {"max_active": "nan"}, 422),
    ("", {"limit": 0}, 422),
    ("", {"limit": 1001}, 422),
    ("", {"cursor": "7"}, 422),
    ("", {"cursor": "7-0123456789ab"}, 422),
    ("", {"label": "nobody"}, 404),
    ("/40", {}, 404),
    ("/40/patches", {"quantile": 0.5}, 404),
    ("/40/classes", {}, 404),
    ("/40/similar", {}, 404),
    ("/4/patches", {"quantile": 1.01}, 422),
    ("/4/patches", {"quantile": "nan"}, 422),
    ("/4/patches", {"quantile": 0.5, "where": "label"}, 422),
    ("/4/patches", {"k": 1001}, 422),
)


@pytest.mark.parametrize(("path", "params", "status"), WRONG)
def test_what_cannot_be_answered_is_told(client, path, params, status):
    response = client.get(UNITS + path, params=params)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"]


def test_a_cursor_belongs_to_one_list(client):
    following = get(client, UNITS, limit=5, sort="max")["next"]
    get(client, UNITS, limit=9, sort="max", cursor=following)
    for other in ({"sort": "mean"}, {"sort": "max", "order": "asc"}, {"sort": "max", "dead": False}):
        response = client.get(UNITS, params={**other, "cursor": following})
        assert response.status_code == 422
        assert "begin again" in response.json()["detail"]
    assert (
        client.get(f"{API}/layers/head/units", params={"sort": "max", "cursor": following}).status_code == 422
    )


def test_a_cursor_of_another_version_is_refused(synthetic, kit, tmp_path):
    cursors = []
    for folder, seed in (("a", 1), ("b", 2)):
        synthetic.make_store(tmp_path / folder / "store", seed=seed)
        with kit.client(tmp_path / folder / "store") as client:
            cursors.append(get(client, UNITS, limit=5)["next"])
            assert client.get(UNITS, params={"cursor": cursors[0]}).status_code == (
                200 if folder == "a" else 422
            )


def test_a_page_past_the_end_is_empty(client):
    following = get(client, UNITS, limit=39)["next"]
    past = "999999999999" + following[following.index("-") :]
    assert get(client, UNITS, limit=39, cursor=past)["units"] == []


def test_a_store_without_labels(synthetic, kit, tmp_path):
    altered(synthetic, tmp_path / "store", lambda made: relabel(made, [None] * 200))
    with kit.client(tmp_path / "store") as client:
        unit = get(client, f"{UNITS}/3")
        assert (unit["label"], unit["selectivity"], unit["ranks"]["selectivity"]) == (None, None, None)
        assert unit["ranked"]["selectivity"] == 0
        assert unit["ranks"]["max"]
        classes = get(client, f"{UNITS}/3/classes")
        assert (classes["classes"], classes["found"]) == ([], 0)
        assert "no labels" in classes["why_none"]
        listed = get(client, UNITS, sort="selectivity")["units"]
        assert [row["unit"] for row in listed] == list(range(40))
        assert client.get(UNITS, params={"label": "cat"}).status_code == 404


def test_a_store_whose_images_all_failed(synthetic, kit, tmp_path):
    synthetic.make_store(tmp_path / "store", images=5, failed=range(5))
    with kit.client(tmp_path / "store") as client:
        unit = get(client, f"{UNITS}/3")
        assert (unit["images"], unit["max"], unit["picture"]) == (0, None, None)
        assert unit["histogram"] == {"edges": [], "counts": [], "not_finite": 0}
        assert {one["value"] for one in unit["quantiles"]} == {None}
        for params in ({}, {"quantile": 0.5}, {"quantile": 0.5, "where": "width > 0"}):
            found = get(client, f"{UNITS}/3/patches", **params)
            assert (found["patches"], found["images"]) == ([], 0)
        assert get(client, f"{UNITS}/3/similar")["similar"] == []
        assert get(client, f"{UNITS}/3/classes")["classes"] == []


def test_infinite_and_nan_maxima_are_counted_apart(synthetic, kit, tmp_path):
    def odd(made):
        made.values[2][3, 1], made.values[2][4, 1] = np.nan, np.inf

    made = altered(synthetic, tmp_path / "store", odd)
    with kit.client(tmp_path / "store") as client:
        unit = get(client, f"{API}/layers/head/units/1")
        assert unit["histogram"]["not_finite"] == 2
        assert sum(unit["histogram"]["counts"]) == int((~made.failed).sum()) - 2
        assert unit["nonfinite"] == 2
        assert unit["quantiles"][-1]["value"] == unit["max"]
        assert len(get(client, f"{API}/layers/head/units/1/similar")["similar"]) == 3
        assert get(client, f"{API}/layers/head/units/1/patches", quantile=0)["patches"]
