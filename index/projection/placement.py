"""Places images on a finished map by their neighbours that are on it."""

import numpy as np

from ..neighbors.index import NeighborIndex

NEIGHBOURS = 15
_BLOCK = 65_536
_STEPS = 8
_COINCIDE = 1e-6
"""Of the median distance: what is nearer is the same image for a map."""


def place(coordinates: np.ndarray, neighbours: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return (n, 2) float32: where the images belong whose neighbours are given.

    coordinates: (m, 2), the finished map. neighbours: (n, k) int rows of it, nearest first; distances: (n, k), in
    feature space. It is their weighted geometric median, which one neighbour on another island does not pull into the
    sea between: Weiszfeld's algorithm, from the weighted mean. An image whose twin is on the map lies on the twin.
    """
    placed = np.empty((len(neighbours), 2), np.float32)
    for start in range(0, len(neighbours), _BLOCK):
        rows = slice(start, start + _BLOCK)
        points = coordinates[neighbours[rows]].astype(np.float64)
        placed[rows] = _median(points, _weights(distances[rows].astype(np.float64)))
    return placed


def place_features(
    ann: NeighborIndex, images: np.ndarray, coordinates: np.ndarray, features: np.ndarray, *, threads: int = 1
) -> np.ndarray:
    """Return (n, 2) float32: where new features (n, width) float32 belong on the map of `images` (m,), ascending."""
    allowed = np.zeros(ann.images, bool)
    allowed[images] = True
    everything = bool((allowed | ~ann.vectors.valid).all())
    k = min(NEIGHBOURS, len(images))
    gaps, ids = ann.search(features, k, allowed=None if everything else allowed, threads=threads)
    if ann.metric == "cosine":
        gaps = np.sqrt(2 * gaps)
    return place(coordinates, np.searchsorted(images, ids), gaps)


def _weights(distances: np.ndarray) -> np.ndarray:
    """Return (n, k): e to the minus distance beyond the nearest, in units of its mean, as UMAP's; of twins, theirs
    alone.
    """
    beyond = distances - distances[:, :1]
    scale = beyond.mean(axis=1, keepdims=True)
    weights = np.exp(-np.divide(beyond, scale, out=np.zeros_like(beyond), where=scale > 0))
    twins = distances <= _COINCIDE * np.median(distances)
    return np.where(twins.any(axis=1, keepdims=True), twins, weights)


def _median(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (n, 2): of each row of points (n, k, 2) by weights (n, k)."""
    middle = (weights[:, :, None] * points).sum(axis=1) / weights.sum(axis=1, keepdims=True)
    for _ in range(_STEPS):
        gaps = np.sqrt(((points - middle[:, None]) ** 2).sum(axis=2))
        floor = 1e-3 * gaps.mean(axis=1, keepdims=True) + 1e-12
        pull = weights / np.maximum(gaps, floor)
        middle = (pull[:, :, None] * points).sum(axis=1) / pull.sum(axis=1, keepdims=True)
    return middle
