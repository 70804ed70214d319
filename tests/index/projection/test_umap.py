"""UMAP's layout: the same for any number of threads, and as good as umap-learn's."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding
from unitscope.index.projection.umap import lay_out_neighbours

A, B = find_ab_params(1.0, 0.1)


@pytest.fixture(scope="module")
def digits():
    """1,797 digits, their weights and where they start."""
    points = load_digits().data.astype(np.float32)
    gaps, near = NearestNeighbors(n_neighbors=15).fit(points).kneighbors(points)
    seed = np.random.RandomState(0)
    weights = fuzzy_simplicial_set(points, 15, seed, "euclidean", knn_indices=near, knn_dists=gaps)[0]
    return points, weights, np.linalg.svd(points - points.mean(0), full_matrices=False)[0][:, :2]


def lay_out(weights, start, **options):
    return lay_out_neighbours(weights, start, A, B, **{"epochs": 40, "seed": 1} | options)


def test_threads_change_nothing_and_the_seed_does(digits):
    _, weights, start = digits
    ring = csr_array((np.ones(40_000), (np.arange(40_000), np.roll(np.arange(40_000), 1))))
    around = np.random.default_rng(0).normal(size=(40_000, 2))  # enough for several tasks of a turn
    for graph, places in ((weights, start), (ring + ring.T, around)):
        one = lay_out(graph, places, epochs=5)
        assert one.dtype == np.float32 and np.isfinite(one).all()
        assert one.tobytes() == lay_out(graph, places, epochs=5, threads=3).tobytes()
    assert lay_out(weights, start).tobytes() != lay_out(weights, start, seed=2).tobytes()


def test_it_is_as_good_as_umap_learns(digits):
    points, weights, start = digits
    theirs = simplicial_set_embedding(
        points,
        weights,
        2,
        1.0,
        A,
        B,
        1.0,
        5,
        200,
        start,
        np.random.RandomState(0),
        "euclidean",
        {},
        False,
        {},
        False,
    )[0]
    ours = lay_out(weights, start, epochs=200)
    assert trustworthiness(points, ours) > trustworthiness(points, theirs) - 0.003
    spread = [np.ptp(places, axis=0).mean() for places in (ours, theirs)]
    assert 0.6 < spread[0] / spread[1] < 1.6


def test_every_epoch_is_told_and_nothing_given_is_changed(digits):
    _, weights, start = digits
    before, told = (weights.copy(), start.copy()), []
    lay_out(weights, start, epochs=7, done=told.append)
    assert told == [1] * 7
    assert (before[0] != weights).nnz == 0 and (before[1] == start).all()


def test_images_without_edges_are_only_stretched_to_the_frame():
    start = np.random.default_rng(0).normal(size=(5, 2))
    places = lay_out(csr_array((5, 5)), start)
    assert places.min(axis=0).tolist() == [0, 0] and places.max(axis=0).tolist() == [10, 10]


def test_a_pull_brings_neighbours_together_and_pushes_part_strangers():
    groups = np.kron(np.eye(2), np.ones((30, 30))) - np.eye(60)
    places = lay_out(csr_array(groups), np.random.default_rng(1).normal(size=(60, 2)), epochs=200)
    middles = places.reshape(2, 30, 2).mean(axis=1)
    within = np.linalg.norm(places.reshape(2, 30, 2) - middles[:, None], axis=2).max()
    assert within < 0.5 * np.linalg.norm(middles[0] - middles[1])
