"""The made-up store of the benchmarks, made small: the service answers from it as from any other."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from unitscope.index.store.store import Store

API = "/api/v1/stores/large"


@pytest.fixture(scope="module")
def synthetic_large(tmp_path_factory):
    path = Path(__file__).parents[3] / "benchmarks" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("benchmarks_synthetic", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    url = str(tmp_path_factory.mktemp("made") / "large")
    size = module.Size(700, width=16, units=900, classes=30, part=256, shard=64, k=12, swept=(8, 24))
    module.make(url, size, index=True)
    return url


@pytest.fixture(scope="module")
def large(synthetic_large, kit):
    with kit.client(synthetic_large, live=None) as client:
        yield client


def get(client, path):
    response = client.get(f"{API}{path}")
    assert response.status_code == 200, response.text
    return response.json()


def test_it_has_the_size_that_was_asked_for(large, synthetic_large):
    told = get(large, "")
    assert (told["images"], told["ok"], told["units"], told["indexed"]) == (700, 700, 900, True)
    assert len(get(large, "/classes?limit=1000")["classes"]) == 30
    store = Store.open(synthetic_large)
    assert [len(store.manifest.parts(table)) for table in ("images", "features", "maxima/swept.24")] == [
        3
    ] * 3


def test_patches_with_and_without_a_filter(large, synthetic_large):
    store = Store.open(synthetic_large)
    maxima = store.maxima("swept.24", 5)
    strongest = np.lexsort((np.arange(700), -maxima))
    path = "/layers/swept.24/units/5/patches"
    assert [one["image_id"] for one in get(large, path)["patches"]] == strongest[:9].tolist()
    odd = strongest[strongest % 2 == 1]
    where = " or ".join(f"image_id = {image}" for image in odd[:30])
    assert [one["image_id"] for one in get(large, f"{path}?where={where}")["patches"]] == odd[:9].tolist()


def test_patches_of_units_without_maxima(large):
    patches = get(large, "/layers/top.0/units/867/patches?k=12")["patches"]
    values = [one["value"] for one in patches]
    assert len(patches) == 12
    assert values == sorted(values, reverse=True)
    assert len({one["image_id"] for one in patches}) == 12
    assert large.get(patches[0]["thumb"]).headers["content-type"] == "image/jpeg"


def test_neighbours(large, synthetic_large):
    features = np.stack([Store.open(synthetic_large).feature(image) for image in range(700)])
    near = np.argsort(np.linalg.norm(features - features[40], axis=1), kind="stable")
    found = [one["image_id"] for one in get(large, "/neighbors?image=40&k=5")["neighbors"]]
    assert found == [image for image in near.tolist() if image != 40][:5]
