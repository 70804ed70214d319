"""Neighbours looked up in the stored graph are those of an exact search, with its distances; no others are given."""

import json

import numpy as np
import pytest
from unitscope.common.errors import NotBuiltError, OutdatedError, StoreDamagedError
from unitscope.index.caching.cached_only import cached_only
from unitscope.index.format.sealed import sealed, unsealed
from unitscope.index.neighbors import graph as knn
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.choice import AnnChoice
from unitscope.index.neighbors.exact import distances
from unitscope.index.neighbors.graph import NEIGHBOURS, RANKED
from unitscope.index.neighbors.graph_files import DISTANCES_FILE, MANIFEST, NEIGHBOURS_FILE
from unitscope.index.neighbors.graph_lookup import NeighborGraph
from unitscope.index.neighbors.graph_table import stored_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.storage.folder import Folder

RANDOM = np.random.default_rng(5)
FEATURES = (RANDOM.normal(size=(1500, 24)) + 4 * np.eye(24)[RANDOM.integers(0, 24, 1500)]).astype(np.float32)
VALID = np.arange(1500) % 41 != 5
OWN = [0, 1, 700, 1499]


def made(path, *, metric="l2", kind="ivf", seed=0):
    folder = Folder(str(path))
    choice = AnnChoice(kind, lists=16, training=1500, dimensions=(24,)) if kind == "ivf" else None
    build(blocks_of(FEATURES, VALID), 24, folder, choice=choice, store="abc", metric=metric, seed=seed)
    ann = NeighborIndex.open(folder)
    stored_graph(folder, ann, store="abc")
    return folder, ann


def opened(path, **options):
    folder, ann = made(path, **options)
    return NeighborGraph.open(folder, ann, store="abc")


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_they_are_those_of_an_exact_search(metric, tmp_path):
    graph = opened(tmp_path, metric=metric)
    for k in (1, 10, RANKED, RANKED + 1, 40, NEIGHBOURS):
        for own in OWN:
            found = graph.find(own, k)
            gaps, ids = graph.ann.search(FEATURES[[own]], k, exact=True, exclude=np.array([own]))
            assert found.how == "graph" and found.ids.tolist() == ids[0].tolist()
            assert found.distances.tobytes() == gaps[0].tobytes()
    assert graph.k == NEIGHBOURS and graph.recall == 1.0
    with cached_only():
        assert graph.find(OWN[0], 1) and graph.find(OWN[0], NEIGHBOURS)


def test_those_of_an_approximate_graph_are_in_the_order_of_exact_distances(tmp_path, monkeypatch):
    monkeypatch.setattr(knn, "_EXACT_WORK", 0)
    graph = opened(tmp_path)
    assert 0.9 < graph.recall <= 1
    for own in np.flatnonzero(VALID)[::7]:
        for k in (5, RANKED, 30):
            found = graph.find(int(own), k)
            exact = distances(graph.ann.vectors, FEATURES[own], found.ids, "l2")
            assert found.distances.tobytes() == exact.tobytes()
            assert np.lexsort((found.ids, exact)).tolist() == list(range(k))


def test_what_it_does_not_know_is_left_to_a_search(tmp_path):
    graph = opened(tmp_path / "ivf")
    assert graph.find(0, NEIGHBOURS + 1) is None
    assert opened(tmp_path / "flat", kind="flat").find(0, 3) is None


def test_a_graph_of_another_store_or_index_is_none(tmp_path):
    folder, ann = made(tmp_path)
    with pytest.raises(OutdatedError, match="another sweep"):
        NeighborGraph.open(folder, ann, store="def")
    build(blocks_of(FEATURES, VALID), 24, folder, store="abc", metric="cosine")
    with pytest.raises(OutdatedError, match="another index"):
        NeighborGraph.open(folder, NeighborIndex.open(folder), store="abc")
    folder.remove(MANIFEST)
    with pytest.raises(NotBuiltError, match="unitscope index"):
        NeighborGraph.open(folder, ann, store="abc")


@pytest.mark.parametrize("file", [NEIGHBOURS_FILE, DISTANCES_FILE])
def test_a_file_of_another_size_is_damaged(file, tmp_path):
    folder, ann = made(tmp_path)
    folder.publish(file, folder.read(file)[:-4])
    with pytest.raises(StoreDamagedError, match="size"):
        NeighborGraph.open(folder, ann, store="abc")


def test_ids_that_are_none_are_not_given(tmp_path):
    folder, ann = made(tmp_path)
    ids = np.frombuffer(folder.read(NEIGHBOURS_FILE), np.int32).copy()
    ids[3] = 10**6
    folder.publish(NEIGHBOURS_FILE, ids.tobytes())
    with pytest.raises(StoreDamagedError, match="SHA-256"):
        NeighborGraph.open(folder, ann, store="abc")
    manifest = unsealed(folder.read(MANIFEST), MANIFEST)
    manifest["files"][NEIGHBOURS_FILE]["sha256"] = folder.sha256(NEIGHBOURS_FILE)  # as whoever made it would
    folder.publish(MANIFEST, sealed(manifest))
    graph = NeighborGraph.open(folder, ann, store="abc")
    assert graph.find(0, 10) is None and graph.find(0, 3) is not None and graph.find(1, 10) is not None


def test_a_graph_that_does_not_say_how_far_its_order_is_exact_is_ranked_anew(tmp_path):
    folder, ann = made(tmp_path)
    expected = NeighborGraph.open(folder, ann, store="abc").find(7, 10)
    manifest = unsealed(folder.read(MANIFEST), MANIFEST)
    del manifest["ranked"]
    folder.publish(
        MANIFEST, json.dumps(manifest).encode()
    )  # as an earlier release wrote it, without a digest
    graph = NeighborGraph.open(folder, ann, store="abc")
    found = graph.find(7, 10)
    assert graph.ranked == 0
    assert (found.ids == expected.ids).all() and (found.distances == expected.distances).all()
