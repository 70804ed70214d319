"""One graph of nearest neighbours over the features, for every projection, the duplicates and the quality figures."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ...common.progress import SILENT, Progress
from .exact import Metric, Vectors, nearest
from .index import NeighborIndex
from .ivf import squared_distances
from .tune import OperatingPoint, prepared

NEIGHBOURS = 90
"""Of each image, in a stored graph: three times t-SNE's perplexity of 30. What needs fewer takes the first."""
RANKED, _SPARE = 12, 4
"""The first so many neighbours of each image are in the order of exact distances; and how many more may be among them
when distances of float32 are compared."""
MANY, NEIGHBOURS_OF_MANY = 1_000_000, 30
"""Above so many images the graph holds fewer; a map that wants more searches for them again."""
_BLOCK = 1024
_FEW = 64
"""Queries whose candidates are read before pages are let go of."""
_FEW_VALID = 0.5
"""Below this share of images only the valid ones are compared."""
_SAMPLE = 256
_EXACT_WORK = 1e11
"""Up to so many multiplications every image is compared with every other, index or not."""


@dataclass(frozen=True)
class KnnGraph:
    """Each image's nearest images, itself left out.

    images: (n,) int64, the image ids that have a feature, ascending: row i of all that follows is image `images[i]`.
    neighbours: (n, k) int32, as rows (not ids), nearest first. distances: (n, k) float32, L2; with the metric
    "cosine" those of the features scaled to length 1, whose order is the cosine's.
    recall: share of the true k nearest, measured on a sample (1.0 where the search was exact).
    """

    images: np.ndarray
    neighbours: np.ndarray
    distances: np.ndarray
    recall: float
    metric: Metric = "l2"

    @property
    def k(self) -> int:
        """Neighbours of each image."""
        return self.neighbours.shape[1]

    def first(self, k: int) -> "KnnGraph":
        """Return the graph of the k nearest of each image."""
        nearer, gaps = (np.ascontiguousarray(array[:, :k]) for array in (self.neighbours, self.distances))
        return KnnGraph(self.images, nearer, gaps, self.recall, self.metric)


def knn_graph(
    ann: NeighborIndex,
    *,
    k: int | None = None,
    exact: bool | None = None,
    threads: int = 1,
    seed: int = 0,
    progress: Progress = SILENT,
) -> KnnGraph:
    """Return the k (or all other, where there are fewer) nearest images of each image, and the recall of a sample.

    k: None for NEIGHBOURS, or for NEIGHBOURS_OF_MANY above MANY images.
    exact: whether every image is compared with every other; None: where the index cannot answer, or there are few.
    The graph is the same for any number of threads.
    """
    images = np.flatnonzero(ann.vectors.valid)
    usual = NEIGHBOURS if len(images) <= MANY else NEIGHBOURS_OF_MANY
    k = max(0, min(usual if k is None else k, len(images) - 1))
    shape = (len(images), k)
    neighbours, distances = np.empty(shape, np.int32), np.empty(shape, np.float32)
    approximate = not exact and ann.point(k) is not None
    if exact is None and len(images) ** 2 * ann.vectors.features.shape[1] <= _EXACT_WORK:
        approximate = False
    with progress.stage("nearest neighbours of each image", len(images), "images") as stage:
        for rows, ids, gaps in _searched(ann, images, k, approximate=approximate, threads=threads):
            neighbours[rows], distances[rows] = np.searchsorted(images, ids), gaps
            stage.advance(len(ids))
    recall = 1.0
    if approximate:
        with progress.stage("exact neighbours to measure against", min(_SAMPLE, len(images)), "images"):
            recall = _recall(ann, images, distances, seed)
    return KnnGraph(images, neighbours, distances, recall, ann.metric)


def search_images(
    ann: NeighborIndex, own: np.ndarray, k: int, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest of some images, each itself left out: ids (own, k) int64, distances (own, k) float32.

    ann: of more than k images, which need not hold these. The distances are a graph's.
    """
    point = ann.point(k)
    if point is None or ann.index is None:
        return _exact(ann.vectors, own, k, ann.metric)
    ids, gaps = np.empty((len(own), k), np.int64), np.empty((len(own), k), np.float32)

    def search(start: int) -> None:  # a block in one thread, so that nothing depends on how many there are
        block = slice(start, start + _BLOCK)
        ids[block], gaps[block] = _approximate(ann, own[block], k, point)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(search, range(0, len(own), _BLOCK)))
    short = np.flatnonzero(~np.isfinite(gaps[:, -1])) if k else np.empty(0, np.int64)
    if len(short):
        ids[short], gaps[short] = _exact(ann.vectors, own[short], k, ann.metric)
    return ids, gaps


def _searched(
    ann: NeighborIndex, images: np.ndarray, k: int, *, approximate: bool, threads: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Run of rows, with the ids and distances of their neighbours."""
    step = 16 * _BLOCK if approximate else 2 * _BLOCK
    for start in range(0, len(images) if k else 0, step):
        own = images[start : start + step]
        if approximate:
            found = search_images(ann, own, k, threads=threads)
        else:
            found = _exact(ann.vectors, own, k, ann.metric)
        yield slice(start, start + len(own)), *found


def _approximate(
    ann: NeighborIndex, own: np.ndarray, k: int, point: OperatingPoint
) -> tuple[np.ndarray, np.ndarray]:
    """Return the index's candidates, re-ranked by their features; where they are too few, inf and -1 follow."""
    assert ann.index is not None
    rows = prepared(ann.vectors, own, ann.metric)
    count = min(max(point.candidates, k) + 1, ann.index.rows)
    ids = ann.index.candidates(rows, count, point.probes)
    squares = np.empty(ids.shape, np.float32)
    for first in range(0, len(ids), _FEW):
        few = slice(first, first + _FEW)
        squares[few] = _squares(ann.vectors, ann.metric, rows[few], ids[few])
        ann.vectors.pages.read(ids[few].size)
    squares[(ids == own[:, None]) | (ids < 0)] = np.inf
    if k < count:
        near = np.argpartition(squares, k - 1, axis=1)[:, :k] if k else np.empty((len(own), 0), np.int64)
        ids, squares = np.take_along_axis(ids, near, 1), np.take_along_axis(squares, near, 1)
    order = np.lexsort((ids, squares), axis=1)
    ids, gaps = np.take_along_axis(ids, order, 1), np.sqrt(np.take_along_axis(squares, order, 1))
    if ann.metric == "l2":
        for first in range(0, len(ids), _FEW):
            few = slice(first, first + _FEW)
            _rank_exactly(ann.vectors, own[few], ids[few], gaps[few])
    return ids, gaps


def _rank_exactly(vectors: Vectors, own: np.ndarray, ids: np.ndarray, gaps: np.ndarray) -> None:
    """Find, of some images, the order and distances of their first RANKED neighbours, in place, as `exact.nearest` has
    them: by float64. Those just behind are in it, which float32 may have in another order."""
    near = ids[:, : RANKED + _SPARE]
    rows = vectors.features[near].astype(np.float64)
    rows -= vectors.features[own][:, None]
    rows *= rows
    exact = np.sqrt(rows.sum(axis=2)).astype(np.float32)
    exact[~np.isfinite(gaps[:, : near.shape[1]])] = np.inf
    order = np.lexsort((near, exact), axis=1)
    near[:], gaps[:, : near.shape[1]] = (
        np.take_along_axis(near, order, 1),
        np.take_along_axis(exact, order, 1),
    )


def _squares(vectors: Vectors, metric: Metric, rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return (own, m) float32: squared distances of rows to the images `ids`; of a cosine all are scaled to length
    1.
    """
    if metric == "l2":
        return squared_distances(vectors.features, rows, ids)
    squares = np.empty(ids.shape, np.float32)
    for query, near in enumerate(ids):
        squares[query] = ((prepared(vectors, near, "cosine") - rows[query]) ** 2).sum(axis=1)
    return squares


def _exact(vectors: Vectors, own: np.ndarray, k: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    among = np.flatnonzero(vectors.valid) if vectors.valid.mean() < _FEW_VALID else None
    gaps, ids = nearest(vectors, vectors.features[own], k, metric=metric, among=among, exclude=own)
    return ids, gaps if metric == "l2" else np.sqrt(2 * gaps)


def _recall(ann: NeighborIndex, images: np.ndarray, distances: np.ndarray, seed: int) -> float:
    """Return the recall, where equal distances count as found; the slack is for the rounding of float32."""
    picked = np.random.default_rng(seed).choice(len(images), min(_SAMPLE, len(images)), replace=False)
    _, truth = _exact(ann.vectors, images[picked], distances.shape[1], ann.metric)
    return float((distances[picked] <= truth[:, -1:] * (1 + 1e-5) + 1e-6).mean())
