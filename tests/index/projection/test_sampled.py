"""Large maps: a sample that keeps what is rare, and images placed where they would have been laid out."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from unitscope.index.neighbors import graph as knn
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.choice import AnnChoice
from unitscope.index.neighbors.exact import nearest
from unitscope.index.neighbors.graph import knn_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.neighbors.subset import holding
from unitscope.index.projection.placement import place, place_features
from unitscope.index.projection.projection import MapOptions, project
from unitscope.index.projection.sampled import density_aware_sample, graph_within, lay_out
from unitscope.index.storage.folder import Folder

RANDOM = np.random.default_rng(7)
LABELS = np.repeat(np.arange(8), 200)
CENTRES = 2.2 * RANDOM.normal(size=(8, 20))
FEATURES = (RANDOM.normal(size=(1600, 20)) + CENTRES[LABELS]).astype(np.float32)
FEATURES[LABELS == 7] += RANDOM.normal(scale=2, size=(200, 20)).astype(np.float32)  # the sparse one
VALID = np.arange(1600) % 100 != 99
OPTIONS = MapOptions("umap", seed=2)


@pytest.fixture(scope="module")
def ann(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("ann")))
    choice = AnnChoice("ivf", lists=16, training=1600, dimensions=(16, 20))
    build(blocks_of(FEATURES, VALID), 20, folder, choice=choice)
    return NeighborIndex.open(folder)


@pytest.fixture(scope="module")
def graph(ann):
    return knn_graph(ann, exact=False)


def accuracy(points, labels, queries, own, *, among_them):
    near = cKDTree(points).query(queries, 16)[1]
    near = near[:, 1:] if among_them else near[:, :15]
    return np.mean([np.bincount(labels[row]).argmax() == label for row, label in zip(near, own, strict=True)])


def test_held_out_images_are_placed_where_they_would_have_been_laid_out(ann, graph):
    labels = LABELS[graph.images]
    inside = np.random.default_rng(1).random(len(graph.images)) < 0.75
    kept, held = np.flatnonzero(inside), np.flatnonzero(~inside)
    together = project(ann.vectors, graph, OPTIONS).coordinates
    within = holding(ann, graph.images[kept])
    own = graph_within(within, graph, inside, kept, OPTIONS.counted)
    part = project(ann.vectors, own, OPTIONS).coordinates
    placed = place_features(ann, graph.images[kept], part, FEATURES[graph.images[held]])
    expected = accuracy(together[kept], labels[kept], together[held], labels[held], among_them=False)
    found = accuracy(part, labels[kept], placed, labels[held], among_them=False)
    assert expected > 0.6 and found >= expected - 0.02
    near = graph_within(within, graph, inside, held, 15)
    by_graph = place(part, near.neighbours, near.distances)
    assert (np.linalg.norm(by_graph - placed, axis=1) < 0.2 * part.std()).mean() > 0.98
    one = place_features(ann, graph.images[kept], part, FEATURES[graph.images[held[:1]]])
    np.testing.assert_allclose(one, placed[:1], rtol=1e-5)


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_a_sample_is_laid_out_and_the_others_placed(ann, graph, method):
    options = MapOptions(method, seed=5, sample=500)
    layout = lay_out(ann, graph, options)
    assert layout.settings["sample"] == 500 and layout.settings["placed"] == len(graph.images) - 500
    assert np.isfinite(layout.coordinates).all()
    assert lay_out(ann, graph, options).coordinates.tobytes() == layout.coordinates.tobytes()
    labels = LABELS[graph.images]
    found = accuracy(layout.coordinates, labels, layout.coordinates, labels, among_them=True)
    whole = project(ann.vectors, graph, MapOptions(method, seed=5)).coordinates
    assert found >= accuracy(whole, labels, whole, labels, among_them=True) - 0.02


def test_of_very_many_images_fewer_neighbours_are_kept_and_the_rest_found_again(ann, graph, monkeypatch):
    monkeypatch.setattr(knn, "MANY", 100)
    fewer = knn_graph(ann, exact=False)
    assert (graph.k, fewer.k) == (90, 30)
    assert (fewer.distances <= graph.distances[:, :30] * (1 + 1e-6)).mean() > 0.98  # each is approximate
    options = MapOptions("tsne", seed=5)
    assert lay_out(ann, fewer, options).settings["neighbours"] == 90
    assert lay_out(ann, fewer, MapOptions("umap", seed=5)).settings["neighbours"] == 15


def test_no_sample_where_there_are_few(ann, graph):
    whole = lay_out(ann, graph, MapOptions("pca", sample=100))
    assert "sample" not in whole.settings and len(whole.coordinates) == len(graph.images)


def test_the_sample_keeps_what_is_rare(graph):
    sample = density_aware_sample(graph, 400, 0)
    assert len(np.unique(sample)) == 400 and (np.diff(sample) > 0).all()
    share = np.bincount(LABELS[graph.images[sample]], minlength=8) / 400
    assert share[7] > 1.3 / 8 and share[:7].min() > 0.5 / 8


def test_neighbours_within_are_the_nearest_of_those_within(ann, graph):
    inside = (
        np.random.default_rng(4).random(len(graph.images)) < 0.15
    )  # most have too few of these in the graph
    rows = np.arange(0, len(graph.images), 7)
    found = graph_within(holding(ann, graph.images[inside]), graph, inside, rows, 15)
    among, own = graph.images[inside], graph.images[rows]
    truth = nearest(ann.vectors, FEATURES[own], 15, among=among, exclude=own)[0]
    assert (found.distances <= truth[:, -1:] * (1 + 1e-4)).mean() > 0.97
    gaps = np.linalg.norm(FEATURES[among[found.neighbours]] - FEATURES[own][:, None], axis=2)
    np.testing.assert_allclose(found.distances, gaps, rtol=1e-4)


def test_a_place_is_the_weighted_geometric_median():
    points, distances = RANDOM.normal(size=(40, 2)), np.sort(RANDOM.uniform(1, 3, size=(25, 6)), axis=1)
    neighbours = np.array([RANDOM.choice(40, 6, replace=False) for _ in range(25)])
    placed = place(points, neighbours, distances)
    for row in range(25):
        beyond = distances[row] - distances[row, 0]
        weights = np.exp(-beyond / beyond.mean())

        def cost(point, near=points[neighbours[row]], weights=weights):
            return (weights * np.linalg.norm(near - point, axis=1)).sum()

        best = minimize(cost, points[neighbours[row]].mean(axis=0), method="Nelder-Mead").fun
        assert cost(placed[row]) <= 1.01 * best


def test_a_twin_lies_on_its_twin_and_no_one_is_pulled_between_islands():
    points = np.array([[0, 0], [0.1, 0], [0, 0.1], [0.1, 0.1], [50, 50]], np.float32)
    neighbours = np.array([[3, 0, 1, 2, 4], [0, 1, 2, 3, 4]])
    placed = place(points, neighbours, np.array([[0, 1, 1, 1, 1], [1, 1.01, 1.02, 1.03, 1.04]]))
    np.testing.assert_allclose(placed[0], points[3])
    assert np.linalg.norm(placed[1]) < 0.5
