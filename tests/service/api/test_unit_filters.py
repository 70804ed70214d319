"""A unit under a filter: statistics, histogram, quantiles and classes are of the images that it keeps, everywhere."""

import numpy as np
import pytest
from altered_stores import altered

API = "/api/v1/stores/store/layers"
FILTERS = [
    "label = 'cat'",
    "predicted != label",
    "weight < 0.3",
    "predicted in ('ant', 'bee')",
    "image_id < 3",
    "false",
]


@pytest.fixture(scope="module")
def odd(synthetic, tmp_path_factory):
    def holes(made):
        made.values[2][::7, 1] = np.nan
        made.values[2][3::11, 1] = np.inf
        made.values[2][:, 2] = np.nan

    return altered(synthetic, tmp_path_factory.mktemp("odd") / "store", holes)


@pytest.fixture(scope="module")
def odd_client(odd, kit):
    with kit.client(odd.url) as client:
        yield client


def kept(made, where):
    """(images,) bool, by hand."""
    rows = made.images.to_pylist()
    names = ("ant", "bee", "cat", "dog")
    tests = {
        "label = 'cat'": lambda row: row["label"] == "cat",
        "predicted != label": lambda row: (
            None not in (row["label_index"], row["predicted"]) and row["label_index"] != row["predicted"]
        ),
        "weight < 0.3": lambda row: row["weight"] < 0.3,
        "predicted in ('ant', 'bee')": lambda row: (
            row["predicted"] is not None and names[row["predicted"]] in ("ant", "bee")
        ),
        "image_id < 3": lambda row: row["image_id"] < 3,
        "false": lambda row: False,
    }
    return np.array([tests[where](row) for row in rows]) & ~made.failed


@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize(("number", "layer", "unit"), [(0, "features.0", 3), (2, "head", 1), (2, "head", 2)])
def test_numbers_are_of_the_images_that_are_kept(odd_client, odd, where, number, layer, unit):
    mask = kept(odd, where)
    values = odd.values[number][mask, unit].astype(np.float64)
    known = values[np.isfinite(values)]
    found = odd_client.get(f"{API}/{layer}/units/{unit}", params={"where": where}).json()
    assert (found["where"], found["images"], found["of_images"]) == (where, mask.sum(), (~odd.failed).sum())
    assert found["nonfinite"] == len(values) - len(known)
    assert found["histogram"]["not_finite"] == found["nonfinite"]
    assert sum(found["histogram"]["counts"]) == len(known)
    if len(known):
        expected = [known.mean(), known.std(), known.min(), known.max(), (known > 0).mean()]
        assert [found[name] for name in ("mean", "std", "min", "max", "active")] == pytest.approx(expected)
        assert found["quantiles"][-1]["value"] == known.max()
    else:
        assert [found[name] for name in ("mean", "std", "min", "max", "active")] == [None] * 5
    patches = odd_client.get(f"{API}/{layer}/units/{unit}/patches", params={"where": where}).json()
    assert patches["images"] == found["images"]
    classes = odd_client.get(f"{API}/{layer}/units/{unit}/classes", params={"where": where}).json()
    assert sum(one["images"] for one in classes["classes"]) == len(known)
    text = odd_client.get(f"/stores/store/units/{layer}/{unit}", params={"where": where}).text
    assert f"<strong>{mask.sum()} of {(~odd.failed).sum()} images</strong>" in text


def test_statistics_of_all_images_are_over_the_finite_ones(odd_client, odd):
    values = odd.values[2][~odd.failed, 1].astype(np.float64)
    known = values[np.isfinite(values)]
    found = odd_client.get(f"{API}/head/units/1").json()
    assert (found["where"], found["nonfinite"]) == (None, len(values) - len(known))
    assert [found["mean"], found["max"]] == pytest.approx([known.mean(), known.max()])
    whole = odd_client.get(f"{API}/head/units/2").json()
    assert [whole[name] for name in ("mean", "std", "min", "max", "active")] == [None] * 5
    text = odd_client.get("/stores/store/units/head/2").text
    assert "no finite value" in text
    assert "is dead" not in text
    assert odd_client.get(f"{API}/head/units?dead=true").json()["found"] == 0


def test_a_filter_that_cannot_be_read_is_told(odd_client):
    assert odd_client.get(f"{API}/head/units/1", params={"where": "labl = 1"}).status_code == 422
    assert odd_client.get("/stores/store/units/head/1", params={"where": "labl = 1"}).status_code == 422
