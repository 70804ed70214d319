"""Exact search against sorting every float64 distance."""

import numpy as np
import pytest
from unitscope.index.neighbors import exact
from unitscope.index.neighbors.exact import Vectors, nearest, nearest_of


def slow(features, valid, query, *, k, metric, exclude, among=None):
    """Everything in float64, sorted by (float32 distance, id)."""
    found = []
    for image, row in enumerate(features.astype(np.float64)):
        if not valid[image] or image == exclude or (among is not None and image not in among):
            continue
        if metric == "l2":
            distance = np.sqrt(((row - query) ** 2).sum())
        else:
            scale = np.linalg.norm(row) * np.linalg.norm(query.astype(np.float64))
            distance = max(0.0, 1 - (row @ query / scale if scale else 0.0))
        found.append((np.float32(distance), image))
    found.sort()
    found = found[:k] + [(np.float32(np.inf), -1)] * (k - len(found))
    return [distance for distance, _ in found], [image for _, image in found]


def same(got, expected):
    """Distances to float32's last place; ids, where no two distances are that close."""
    distances, ids = expected
    np.testing.assert_allclose(got[0], distances, rtol=3e-7, atol=3e-7)
    assert got[1].tolist() == ids


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("width", [1, 3, 33])
def test_equals_sorting_everything(metric, width, monkeypatch):
    monkeypatch.setattr(exact, "_CHUNK_BYTES", 4 * width * 37)  # many chunks
    random = np.random.default_rng(width)
    features = random.normal(size=(300, width)).astype(np.float32)
    if width == 1:
        features[:] = random.permutation(np.linspace(1, 2, 300, dtype=np.float32))[:, None]
    valid = random.random(300) > 0.1
    vectors = Vectors.of(features, valid)
    queries = np.concatenate([features[:5], random.normal(size=(5, width)) * 1000]).astype(np.float32)
    exclude = np.array([0, 1, 2, -1, -1, -1, 7, 8, 9, -1])
    among = np.flatnonzero(random.random(300) < 0.3)
    if metric == "cosine" and width == 1:
        pytest.skip("every cosine is 1")
    for k in (1, 7, 400):
        distances, ids = nearest(vectors, queries, k, metric=metric, exclude=exclude)
        some, some_ids = nearest(vectors, queries, k, metric=metric, exclude=exclude, among=among)
        for row, query in enumerate(queries):
            same(
                (distances[row], ids[row]),
                slow(features, valid, query, k=k, metric=metric, exclude=exclude[row]),
            )
            expected = slow(
                features, valid, query, k=k, metric=metric, exclude=exclude[row], among=set(among.tolist())
            )
            same((some[row], some_ids[row]), expected)


def test_equal_distances_go_by_id_across_chunks(monkeypatch):
    monkeypatch.setattr(exact, "_CHUNK_BYTES", 4 * 7 * 10)
    features = np.tile(np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32), (50, 1))
    distances, ids = nearest(Vectors.of(features), features[:1], 60)
    assert ids[0, :50].tolist() == list(range(0, 200, 4))
    assert (distances[0, :50] == 0).all() and (distances[0, 50:] > 0).all()


def test_a_few_candidates_give_the_same_values():
    random = np.random.default_rng(1)
    features = random.normal(size=(200, 65)).astype(np.float32)
    features[100:] = features[:100]
    vectors = Vectors.of(features)
    for metric in ("l2", "cosine"):
        distances, ids = nearest(vectors, features[3:4], 20, metric=metric)
        again, again_ids = nearest_of(vectors, features[3], random.permutation(200), 20, metric)
        assert again.tobytes() == distances.tobytes() and again_ids.tolist() == ids[0].tolist()


def test_features_that_are_not_finite_or_huge():
    features = np.eye(6, dtype=np.float32)
    features[1, 0], features[2, 0], features[3], features[4] = np.nan, np.inf, 3e25, 0
    vectors = Vectors.of(features)
    assert vectors.valid.tolist() == [True, False, False, True, True, True]
    distances, ids = nearest(vectors, features[[0, 3]], 6)
    assert ids.tolist() == [[0, 4, 5, 3, -1, -1], [3, 0, 4, 5, -1, -1]]
    assert np.isfinite(distances[:, :4]).all()
    _, ids = nearest(vectors, features[[0, 4]], 3, metric="cosine")
    assert ids.tolist() == [[0, 3, 4], [0, 3, 4]]


def test_nothing_to_find():
    empty = Vectors.of(np.empty((0, 5), np.float32))
    distances, ids = nearest(empty, np.ones((2, 5), np.float32), 3)
    assert ids.tolist() == [[-1] * 3] * 2 and np.isinf(distances).all()
