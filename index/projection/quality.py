"""How far a map can be trusted: measured exactly, on a sample of images against all others."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from ..neighbors.exact import Vectors, chunks
from ..neighbors.graph import KnnGraph
from ..neighbors.tune import prepared

_WORK, _FEWEST = 10**12, 128
"""Multiplications that the true neighbours of the sample may take, unless it has as few images."""


@dataclass(frozen=True)
class Quality:
    """trustworthiness: 1 where no image is shown near another that is not near it in feature space.

    preserved: share of an image's k nearest in feature space that are among its k nearest on the map.
    label_accuracy, label_accuracy_features: how often the commonest label of the k nearest on the map, and in feature
    space, is the image's own; None without labels. sample: images measured. k: neighbours.
    """

    trustworthiness: float | None
    preserved: float
    label_accuracy: float | None
    label_accuracy_features: float | None
    sample: int
    k: int

    def to_json(self) -> dict[str, Any]:
        """Return it for a manifest."""
        return asdict(self)


def measure_quality(
    vectors: Vectors,
    graph: KnnGraph,
    coordinates: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    k: int = 15,
    sample: int = 512,
    seed: int = 0,
) -> Quality:
    """Measure a map. coordinates: (n, 2), row i for image `graph.images[i]`. labels: (images,) text or integers; None
    or "" for none. sample: of so many images, of fewer where comparing them with all others would take minutes.

    Trustworthiness: Venna & Kaski 2001; it is defined for k < n / 2, else None.
    """
    n = len(graph.images)
    k = max(0, min(k, n - 1))
    sample = min(n, sample, max(_FEWEST, _WORK // max(1, n * vectors.features.shape[1])))
    picked = np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    if not k:
        return Quality(None, 1.0, None, None, len(picked), k)
    shown = nearest_on_map(coordinates, picked, k)
    ranks, near = _feature_ranks(vectors, graph, picked, shown, k)
    penalty = np.maximum(0, ranks - k).sum()
    worst = len(picked) * k * (2 * n - 3 * k - 1) / 2
    preserved = float((ranks <= k).mean())
    accuracy = accuracy_features = None
    if labels is not None:
        accuracy = _label_accuracy(labels[graph.images], picked, shown)
        accuracy_features = _label_accuracy(labels[graph.images], picked, near)
    trustworthiness = float(1 - penalty / worst) if 2 * k < n else None
    return Quality(trustworthiness, preserved, accuracy, accuracy_features, len(picked), k)


def nearest_on_map(coordinates: np.ndarray, picked: np.ndarray, k: int) -> np.ndarray:
    """Return (picked, k) int64: rows of the nearest points; of equally far ones the first. coordinates: finite."""
    points = coordinates.astype(np.float64)
    tree = KDTree(points)
    reach = tree.query(points[picked], k + 1)[0][:, -1]  # the point itself is one of the k + 1
    found = np.empty((len(picked), k), np.int64)
    for row, own in enumerate(picked):
        # The slack keeps all that are as far as the k-th: which k of them come first is decided by exact squares.
        near = np.array(tree.query_ball_point(points[own], reach[row] * (1 + 1e-9)))
        near = near[near != own]
        gaps = ((points[near] - points[own]) ** 2).sum(axis=1)
        found[row] = near[np.lexsort((near, gaps))][:k]
    return found


def _feature_ranks(
    vectors: Vectors, graph: KnnGraph, picked: np.ndarray, shown: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each image shown near a picked one: its rank in feature space, 1 for the nearest; and the k truly
    nearest.

    (picked, k) int64 both, the second as rows. Squared distances in float64; equal ones share the lowest rank.
    """
    images, metric = graph.images, graph.metric
    queries = prepared(vectors, images[picked], metric).astype(np.float64)
    lengths = (queries**2).sum(axis=1)
    limits = np.empty(shown.shape)
    for row, near in enumerate(shown):
        limits[row] = _squares(
            queries[row : row + 1], lengths[row : row + 1], prepared(vectors, images[near], metric)
        )[0]
    order = np.argsort(limits, axis=1)
    ascending = np.take_along_axis(limits, order, axis=1)
    closer = np.zeros(shown.shape, np.int64)
    best, best_rows = np.full((len(picked), k), np.inf), np.full((len(picked), k), -1, np.int64)
    for start, stop in chunks(len(images), queries.shape[1]):
        squares = _squares(queries, lengths, prepared(vectors, images[start:stop], metric))
        inside = (picked >= start) & (picked < stop)
        squares[np.flatnonzero(inside), picked[inside] - start] = np.inf
        for row, square in enumerate(squares):
            # The slack keeps a neighbour from counting as closer than itself where the two products round apart.
            slack = 1e-9 * (lengths[row] + ascending[row])
            closer[row] += np.searchsorted(np.sort(square), ascending[row] - slack)
            merged = np.concatenate([best[row], square])
            rows = np.concatenate([best_rows[row], np.arange(start, stop)])
            kept = np.argpartition(merged, k - 1)[:k]
            best[row], best_rows[row] = merged[kept], rows[kept]
    ranks = np.empty_like(closer)
    np.put_along_axis(ranks, order, closer + 1, axis=1)
    return ranks, best_rows


def _squares(queries: np.ndarray, lengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return (queries, rows) float64 squared distances."""
    rows = rows.astype(np.float64)
    return np.maximum(0, lengths[:, None] + (rows**2).sum(axis=1) - 2 * queries @ rows.T)


def _label_accuracy(labels: np.ndarray, picked: np.ndarray, neighbours: np.ndarray) -> float | None:
    """Return the share of the picked images that have a label; a tie goes to the label that sorts first."""
    known = np.array([isinstance(label, str | int | np.integer) and label != "" for label in labels], bool)
    codes = np.full(len(labels), -1, np.int64)
    codes[known] = np.unique(labels[known], return_inverse=True)[1]
    hits = [
        np.bincount(codes[near][codes[near] >= 0], minlength=1).argmax() == codes[own]
        for own, near in zip(picked, neighbours, strict=True)
        if codes[own] >= 0
    ]
    return float(np.mean(hits)) if hits else None
