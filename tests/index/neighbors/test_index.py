"""The index against exact search: recall, filters, threads, what it refuses, and what is on disk."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from unitscope.common.errors import NotBuiltError, OutdatedError, StoreDamagedError, UsageError
from unitscope.index.caching.cached_only import NotCachedError, cached_only
from unitscope.index.neighbors import index as ann_module
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.choice import AnnChoice, choose, factory
from unitscope.index.neighbors.graph import knn_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.storage.folder import Folder

IVF = AnnChoice("ivf", lists=64, training=4096, dimensions=(16, 32, 48))


def make_features(images, width=48, seed=0):
    """Like a network's: clusters in few directions, through a layer and a ReLU."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, 12))
    latent = centres[random.integers(20, size=images)] + 0.5 * random.normal(size=(images, 12))
    return np.maximum(latent @ random.normal(size=(12, width)) - 0.5, 0).astype(np.float32)


FEATURES = make_features(8000)
VALID = np.random.default_rng(1).random(8000) > 0.01


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("store")))
    build(blocks_of(FEATURES, VALID), 48, folder, choice=IVF, store="abc", threads=2)
    return folder


@pytest.fixture(scope="module")
def ann(folder):
    return NeighborIndex.open(folder, store="abc")


def recall(found, truth):
    return (found <= truth[:, -1:]).mean()


def test_recall_is_what_it_says(ann):
    images = np.flatnonzero(VALID)[::8]
    queries = FEATURES[images]
    truth, truth_ids = ann.search(queries, 10, exact=True, exclude=images)
    distances, ids = ann.search(queries, 10, exclude=images)
    assert ann.index is not None and ann.manifest["type"] == "ivf"
    assert ann.manifest["recall_at_10"] >= 0.985
    assert recall(distances, truth) >= 0.985
    assert (ids != images[:, None]).all() and VALID[ids].all()
    hit = ids == truth_ids
    assert (distances[hit] == truth[hit]).all(), "an approximate answer has the exact distance"
    for row in (0, 5):
        gaps = np.sqrt(((FEATURES[ids[row]].astype(np.float64) - queries[row]) ** 2).sum(axis=1))
        np.testing.assert_allclose(distances[row], gaps, rtol=1e-6)
        assert (np.lexsort((ids[row], distances[row])) == np.arange(10)).all()


@pytest.mark.parametrize("k", [1, 30, 100, 101, 9000])
def test_any_k(ann, k):
    distances, ids = ann.search(FEATURES[:3], k)
    truth, _ = ann.search(FEATURES[:3], k, exact=True)
    real = np.isfinite(truth)
    assert (np.isfinite(distances) == real).all() and ((ids >= 0) == real).all()
    assert (distances[real] <= truth[real] * 1.2 + 1e-6).all()
    assert real.sum(axis=1).tolist() == [min(k, VALID.sum())] * 3


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.3, 1.0])
def test_filters(ann, share, monkeypatch):
    monkeypatch.setattr("unitscope.index.neighbors.index._EXACT_NUMBERS", 48 * 100)
    allowed = np.random.default_rng(2).random(8000) < share
    images = np.flatnonzero(VALID)[:100]
    distances, ids = ann.search(FEATURES[images], 10, allowed=allowed, exclude=images)
    truth, _ = ann.search(FEATURES[images], 10, allowed=allowed, exclude=images, exact=True)
    assert allowed[ids[ids >= 0]].all() and VALID[ids[ids >= 0]].all()
    assert ((ids >= 0) == np.isfinite(truth)).all()
    assert recall(distances, truth) >= 0.98


def test_a_filter_that_keeps_only_what_is_far(ann, monkeypatch):
    monkeypatch.setattr("unitscope.index.neighbors.index._EXACT_NUMBERS", 0)
    gaps = ((FEATURES - FEATURES[0]) ** 2).sum(axis=1)
    allowed = gaps > np.median(gaps)
    distances, ids = ann.search(FEATURES[:1], 10, allowed=allowed)
    truth, truth_ids = ann.search(FEATURES[:1], 10, allowed=allowed, exact=True)
    assert (distances == truth).all() and (ids == truth_ids).all()


def test_one_by_one_equals_all_at_once_in_any_thread(ann):
    queries, images = FEATURES[:60], np.arange(60)
    distances, ids = ann.search(queries, 10, exclude=images, threads=2)
    with ThreadPoolExecutor(4) as pool:
        allowed = np.arange(8000) % 2 == 0
        others = [pool.submit(ann.search, queries, 10, allowed=allowed) for _ in range(4)]
        single = list(
            pool.map(lambda i: ann.search(queries[i : i + 1], 10, exclude=images[i : i + 1]), range(60))
        )
        assert all((other.result()[1] % 2 == 0).all() for other in others)
    assert [row[1].tolist() for row in single] == [[row] for row in ids.tolist()]
    assert all((row[0] == distances[i]).all() for i, row in enumerate(single))


def test_cosine_and_the_other_metric(ann, tmp_path):
    scaled = FEATURES * np.random.default_rng(3).uniform(0.1, 10, size=(8000, 1)).astype(np.float32)
    other = Folder(str(tmp_path))
    report = build(blocks_of(scaled, VALID), 48, other, choice=IVF, metric="cosine")
    cosine = NeighborIndex.open(other)
    assert report.recall >= 0.985 and cosine.metric == "cosine"
    distances, ids = cosine.search(scaled[:200], 10)
    truth, _ = cosine.search(scaled[:200], 10, exact=True)
    assert recall(distances, truth + 1e-6) >= 0.985
    row, near = scaled[0].astype(np.float64), scaled[ids[0]].astype(np.float64)
    expected = 1 - near @ row / np.linalg.norm(near, axis=1) / np.linalg.norm(row)
    np.testing.assert_allclose(distances[0], np.maximum(0, expected), atol=1e-7)
    switched, switched_ids = ann.search(FEATURES[:5], 10, metric="cosine")
    plain, plain_ids = ann.search(FEATURES[:5], 10, metric="cosine", exact=True)
    assert (switched == plain).all() and (switched_ids == plain_ids).all()


def test_queries_far_away_and_duplicates(tmp_path):
    features = np.repeat(make_features(600, 16), 10, axis=0)
    folder = Folder(str(tmp_path))
    build(blocks_of(features), 16, folder, choice=AnnChoice("ivf", 16, 4096, (8, 16)))
    ann = NeighborIndex.open(folder)
    distances, ids = ann.search(features[:1], 9, exclude=np.array([0]))
    assert (distances == 0).all() and ids.tolist() == [list(range(1, 10))]
    far = np.full((1, 16), 1e6, np.float32)
    distances, ids = ann.search(far, 10)
    truth, truth_ids = ann.search(far, 10, exact=True)
    assert (distances == truth).all() and (ids == truth_ids).all()


@pytest.mark.parametrize("images", [0, 1, 2, 15])
def test_few_images(tmp_path, images):
    folder = Folder(str(tmp_path))
    report = build(blocks_of(make_features(images)), 48, folder)
    assert (report.kind, report.recall, report.rows) == ("flat", 1.0, images)
    ann = NeighborIndex.open(folder)
    distances, ids = ann.search(np.ones((2, 48), np.float32), 3)
    assert (ids >= 0).sum() == 2 * min(images, 3) and distances.dtype == np.float32 and ids.dtype == np.int64


def test_constant_features(tmp_path):
    folder = Folder(str(tmp_path))
    report = build(
        blocks_of(np.ones((5000, 16), np.float32)), 16, folder, choice=AnnChoice("ivf", 8, 2000, (8, 16))
    )
    assert report.recall == 1.0
    distances, _ = NeighborIndex.open(folder).search(np.ones((1, 16), np.float32), 5)
    assert (distances == 0).all()


def test_features_that_are_not_finite_are_left_out(tmp_path):
    features = make_features(100)
    features[3, 5], features[7] = np.nan, np.inf
    valid = np.arange(100) != 9
    folder = Folder(str(tmp_path))
    report = build(blocks_of(features, valid), 48, folder)
    assert (report.images, report.rows, report.left_out) == (100, 97, 2)
    ids = NeighborIndex.open(folder).search(features[:1], 100)[1]
    assert sorted(ids[0][ids[0] >= 0]) == [i for i in range(100) if i not in (3, 7, 9)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"queries": np.ones((1, 47))}, "48 numbers"),
        ({"queries": np.ones(48)}, "48 numbers"),
        ({"queries": np.full((1, 48), np.nan)}, "NaN"),
        ({"k": 0}, "at least one"),
        ({"allowed": np.ones(7, bool)}, "8000 images"),
        ({"allowed": np.ones(8000)}, "one bool"),
        ({"exclude": np.zeros(2)}, "one id"),
        ({"metric": "l1"}, "'l2' and 'cosine'"),
    ],
)
def test_wrong_arguments(ann, arguments, message):
    with pytest.raises(UsageError, match=message):
        ann.search(**({"queries": np.ones((1, 48)), "k": 3} | arguments))


def test_the_same_seed_gives_the_same_files(tmp_path, folder):
    again = Folder(str(tmp_path))
    build(blocks_of(FEATURES, VALID), 48, again, choice=IVF, store="abc", threads=1)
    names = ["ann/features.f32", "ann/lengths.f64", "ann/index.faiss"]
    assert [again.sha256(name) for name in names] == [folder.sha256(name) for name in names]
    manifest = json.loads(again.read("ann/ann.json"))
    assert manifest["points"] == json.loads(folder.read("ann/ann.json"))["points"]
    for name in names:
        data = again.read(name)
        assert manifest["files"][name] == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_what_is_on_disk_must_fit(tmp_path, folder):
    with pytest.raises(OutdatedError, match="another sweep"):
        NeighborIndex.open(folder, store="def")
    other = Folder(str(tmp_path))
    with pytest.raises(NotBuiltError, match="unitscope index"):
        NeighborIndex.open(other)
    build(blocks_of(FEATURES[:5000]), 48, other, choice=AnnChoice("ivf", 16, 2000, (16, 48)))
    index = other.read("ann/index.faiss")
    other.publish("ann/index.faiss", index[: len(index) // 2])
    with pytest.raises(StoreDamagedError, match=r"index\.faiss"):
        NeighborIndex.open(other)
    other.publish("ann/features.f32", b"1234")
    with pytest.raises(StoreDamagedError, match="size"):
        NeighborIndex.open(other)
    other.publish("ann/ann.json", b"{")
    with pytest.raises(StoreDamagedError, match="JSON"):
        NeighborIndex.open(other)
    other.publish("ann/ann.json", b'{"version": 99}')
    with pytest.raises(OutdatedError, match="version 99"):
        NeighborIndex.open(other)


def test_a_build_that_fails_leaves_no_index(tmp_path, folder):
    other = Folder(str(tmp_path))
    build(blocks_of(FEATURES[:100]), 48, other)
    with pytest.raises(UsageError):
        build(blocks_of(FEATURES[:100]), 47, other)
    with pytest.raises(NotBuiltError):
        NeighborIndex.open(other)


def test_the_choice():
    assert choose(1000, 512).kind == "flat" and choose(8000, 512).kind == "flat"
    assert choose(0, 512).kind == "flat"
    large = choose(200_000, 512)
    assert (large.kind, large.lists, large.dimensions[-1]) == ("ivf", 1024, 256)
    assert choose(2_000_000, 100).dimensions == (32, 64, 96, 100)
    assert factory(large, 200_000, 64) == "IVF1024,SQ8"
    huge = choose(100_000_000, 512)
    assert factory(huge, 100_000_000, 128, memory=200 << 30) == "IVF32768_HNSW32,SQ8"
    assert factory(huge, 100_000_000, 128, memory=8 << 30) == "IVF32768_HNSW32,SQ4"
    assert factory(huge, 100_000_000, 128, memory=4 << 30) == "IVF32768_HNSW32,PQ32"


@pytest.mark.parametrize("code", ["SQ4", "PQ"])
def test_smaller_codes(tmp_path, code):
    folder = Folder(str(tmp_path))
    memory = {"SQ4": 8000 * 48 * 3 // 4, "PQ": 1}[code]
    dimensions = {"SQ4": IVF.dimensions, "PQ": (16,)}[code]  # FAISS trains each of PQ's codes for seconds
    choice = replace(IVF, dimensions=dimensions)
    report = build(blocks_of(FEATURES), 48, folder, choice=choice, memory=memory)
    assert report.recall >= 0.985
    assert report.kind == "flat" or code in report.manifest["factory"]


def test_knn_graph(ann):
    graph = knn_graph(ann, k=15, threads=2)
    exact = knn_graph(ann, k=15, exact=True)
    assert graph.images.tolist() == np.flatnonzero(VALID).tolist()
    assert graph.neighbours.shape == (VALID.sum(), 15) and graph.recall >= 0.98 and exact.recall == 1.0
    assert (graph.neighbours != np.arange(VALID.sum())[:, None]).all()
    assert abs(recall(graph.distances, exact.distances) - graph.recall) < 0.02
    row = 77
    gaps = np.linalg.norm(FEATURES[graph.images[exact.neighbours[row]]] - FEATURES[graph.images[row]], axis=1)
    np.testing.assert_allclose(exact.distances[row], gaps, rtol=1e-5)


def test_in_a_bucket(s3_bucket):
    folder = Folder(s3_bucket)
    build(blocks_of(FEATURES[:5000]), 48, folder, choice=AnnChoice("ivf", 16, 2000, (16, 48)))
    ann = NeighborIndex.open(folder)
    assert ann.index is not None
    distances, ids = ann.search(FEATURES[:3], 4)
    assert ids[:, 0].tolist() == [0, 1, 2] and (distances[:, 0] == 0).all()


def test_beyond_the_reach_all_lists_are_searched(tmp_path, monkeypatch):
    """Queries farther away than any that the index was tuned on, where comparing every image would take long."""
    features = make_features(6000, 24)
    folder = Folder(str(tmp_path))
    build(blocks_of(features), 24, folder, choice=AnnChoice("ivf", 16, 4096, (8, 16)))
    ann = NeighborIndex.open(folder)
    far = features[:40] + np.random.default_rng(1).normal(0, 5, (40, 24)).astype(np.float32)
    truth_ids = ann.search(far, 10, exact=True)[1]
    assert [ann.find(query, 10).how for query in far] == ["exact"] * 40
    monkeypatch.setattr(ann_module, "_ALL_NUMBERS", 0)
    monkeypatch.setattr(ann_module, "_WIDE_CANDIDATES", 400)
    found = [ann.find(query, 10) for query in far]
    assert {one.how for one in found} == {"wide"}
    ids = ann.search(far, 10)[1]
    assert (ids[:, :, None] == truth_ids[:, None]).any(axis=2).mean() > 0.99
    assert all((one.ids == ids[row]).all() for row, one in enumerate(found))
    with cached_only():
        near = ann.find(features[3], 10, exclude=3)
        with pytest.raises(NotCachedError):
            ann.find(far[0], 10)
    assert near.how == "index" and (near.ids == ann.find(features[3], 10, exclude=3).ids).all()


def test_a_wide_search_keeps_to_the_filter(tmp_path, monkeypatch):
    features = make_features(3000, 16)
    folder = Folder(str(tmp_path))
    build(blocks_of(features), 16, folder, choice=AnnChoice("ivf", 8, 3000, (8,)))
    ann = NeighborIndex.open(folder)
    for name in ("_ALL_NUMBERS", "_EXACT_NUMBERS"):
        monkeypatch.setattr(ann_module, name, 0)
    far, allowed = np.full(16, 50, np.float32), np.zeros(3000, bool)
    allowed[[4, 2000, 2999]] = True
    found = ann.find(far, 5, allowed=allowed, exclude=4)
    assert found.how == "wide" and sorted(found.ids[:2].tolist()) == [2000, 2999]
    assert found.ids[2:].tolist() == [-1] * 3 and np.isinf(found.distances[2:]).all()
