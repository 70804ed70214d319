"""Neighbours in pixel space, against every thumbnail compared by hand."""

import shutil

import numpy as np
import pytest
from unitscope.common.errors import StoreDamagedError
from unitscope.index.neighbors.pixel_space import pixel_blocks
from unitscope.index.store.store import Store
from unitscope.jobs.build.index import build_index

API = "/api/v1/stores/store/neighbors"


@pytest.fixture(scope="module")
def looked(swept, tmp_path_factory):
    store = tmp_path_factory.mktemp("looked") / "store"
    shutil.copytree(swept, store)
    build_index(str(store))
    return store


def test_against_every_thumbnail(kit, looked):
    blocks = list(pixel_blocks(Store.open(str(looked))))
    vectors = np.concatenate([block.values for block in blocks]).astype(np.float64)
    ok = np.concatenate([block.valid for block in blocks])
    image = int(np.flatnonzero(ok)[3])
    gaps = np.sqrt(np.square(vectors - vectors[image]).sum(1))
    gaps[image] = np.inf
    order = [one for one in np.argsort(np.where(ok, gaps, np.inf), kind="stable").tolist() if ok[one]]
    with kit.client(looked) as client:
        found = client.get(API, params={"image": image, "k": 8, "space": "pixels"}).json()
        other = client.get(API, params={"image": image, "k": 8}).json()
    assert (found["space"], other["space"]) == ("pixels", "features")
    assert [one["distance"] for one in found["neighbors"]] == pytest.approx(gaps[order[:8]], abs=1e-5)
    assert gaps[[one["image_id"] for one in found["neighbors"]]] == pytest.approx(gaps[order[:8]], abs=1e-5)


def test_stores_without_the_index_say_how_to_build_it(kit, made):
    with kit.client(made.url) as client:
        answer = client.get(API, params={"image": 0, "space": "pixels"})
    assert answer.status_code == 404 and "unitscope index" in answer.json()["detail"]


def test_a_thumbnail_that_is_no_picture(made, monkeypatch):
    store = Store.open(made.url)
    monkeypatch.setattr(store, "thumb", lambda image: b"no picture")
    with pytest.raises(StoreDamagedError, match="thumbnail of image 0 "):
        next(pixel_blocks(store))
