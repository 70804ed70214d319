"""The stored graph: what is read is what was made, for any number of threads, and another store's or index's is not."""

import numpy as np
import pytest
from unitscope.common.errors import OutdatedError, StoreDamagedError
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.choice import AnnChoice
from unitscope.index.neighbors.exact import nearest
from unitscope.index.neighbors.graph import NEIGHBOURS, knn_graph
from unitscope.index.neighbors.graph_files import DISTANCES_FILE, MANIFEST, NEIGHBOURS_FILE
from unitscope.index.neighbors.graph_table import read_graph, stored_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.storage.folder import Folder
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify

RANDOM = np.random.default_rng(3)
FEATURES = (RANDOM.normal(size=(3000, 24)) + 4 * np.eye(24)[RANDOM.integers(0, 24, 3000)]).astype(np.float32)
VALID = np.arange(3000) % 41 != 5
IVF = AnnChoice("ivf", lists=32, training=3000, dimensions=(16, 24))


def made(folder, *, metric="l2", choice=IVF, store="abc"):
    build(blocks_of(FEATURES, VALID), 24, folder, choice=choice, store=store, metric=metric)
    return NeighborIndex.open(folder)


@pytest.fixture(scope="module")
def ann(tmp_path_factory):
    return made(Folder(str(tmp_path_factory.mktemp("ann"))))


def same(one, other):
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("images", "neighbours", "distances")]
    return all(np.array_equal(left, right) for left, right in pairs) and one.recall == other.recall


@pytest.mark.parametrize("place", ["disk", "bucket"])
def test_what_is_read_is_what_was_made(place, tmp_path, request):
    folder = Folder(str(tmp_path) if place == "disk" else request.getfixturevalue("s3_bucket"))
    ann = made(folder)
    graph = stored_graph(folder, ann, store="abc")
    assert graph.k == NEIGHBOURS and graph.images.tolist() == np.flatnonzero(VALID).tolist()
    assert same(read_graph(folder, ann, store="abc"), graph)
    neighbours = np.frombuffer(folder.read(NEIGHBOURS_FILE), np.int32).reshape(3000, NEIGHBOURS)
    assert (neighbours[~VALID] == -1).all()
    assert (neighbours[VALID] == graph.images[graph.neighbours]).all()


def test_the_graph_is_used_again_until_the_store_or_the_index_is_another(tmp_path):
    folder = Folder(str(tmp_path))
    ann = made(folder)
    stored_graph(folder, ann, store="abc")
    written = (tmp_path / NEIGHBOURS_FILE).stat().st_mtime_ns
    stored_graph(folder, made(folder), store="abc")  # the same index, made again
    assert (tmp_path / NEIGHBOURS_FILE).stat().st_mtime_ns == written
    for other, store in ((ann, "def"), (made(folder, metric="cosine"), "abc")):
        with pytest.raises(OutdatedError, match="another"):
            read_graph(folder, other, store=store)
    graph = stored_graph(folder, NeighborIndex.open(folder), store="abc")
    assert graph.metric == "cosine" and (tmp_path / NEIGHBOURS_FILE).stat().st_mtime_ns > written


@pytest.mark.parametrize("file", [MANIFEST, NEIGHBOURS_FILE, DISTANCES_FILE])
def test_damage_is_found_and_mended(file, synthetic, tmp_path):
    store = synthetic.make_store(tmp_path / "store")
    folder, of = store.folder, Store.open(store.url).manifest.hash
    build(blocks_of(store.feature, ~store.failed), store.feature.shape[1], folder, store=of)
    graph = stored_graph(folder, NeighborIndex.open(folder), store=of)
    assert verify(store.url).ok
    data = folder.read(file)
    folder.publish(file, data[: len(data) // 2])
    assert [problem.path for problem in verify(store.url).problems] == [file]
    with pytest.raises(StoreDamagedError):
        read_graph(folder, NeighborIndex.open(folder), store=of)
    assert same(stored_graph(folder, NeighborIndex.open(folder), store=of), graph)
    assert folder.read(file) == data
    folder.publish(file, bytes([data[0] ^ 1]) + data[1:])
    assert [problem.path for problem in verify(store.url).problems] == [file]


def test_an_approximate_graph_is_the_same_for_any_number_of_threads_and_its_first_are_the_smaller_one(ann):
    graph = knn_graph(ann, exact=False, threads=1)
    assert same(knn_graph(ann, exact=False, threads=3), graph)
    assert graph.recall >= 0.97
    assert same(graph.first(15), graph.first(40).first(15)) and graph.first(15).k == 15


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_an_exact_graph(metric, tmp_path):
    ann = made(Folder(str(tmp_path)), metric=metric)
    graph = knn_graph(ann)
    rows = np.array([0, 1, 500, 2000])
    own = graph.images[rows]
    gaps, ids = nearest(ann.vectors, FEATURES[own], NEIGHBOURS, metric=metric, exclude=own)
    assert graph.recall == 1.0 and (graph.images[graph.neighbours[rows]] == ids).all()
    scale = FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True) if metric == "cosine" else FEATURES
    expected = np.linalg.norm(scale[ids] - scale[own][:, None], axis=2)
    np.testing.assert_allclose(graph.distances[rows], expected, rtol=1e-4)
    assert np.array_equal(gaps.argmin(axis=1), graph.distances[rows].argmin(axis=1))
    approximate = knn_graph(ann, exact=False)
    assert (approximate.distances <= graph.distances[:, -1:] * (1 + 1e-4)).mean() == pytest.approx(
        approximate.recall, abs=0.01
    )
