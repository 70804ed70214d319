"""One graph of nearest neighbours over the features, for every projection."""

from dataclasses import dataclass

import numpy as np

from ..common.progress import SILENT, Progress
from .ann import Ann

_BLOCK = 2048
_SAMPLE = 256


@dataclass(frozen=True)
class KnnGraph:
    """Each image's nearest images, itself left out.

    images: (n,) int64, the image ids that have a feature, ascending: row i of all that follows is image `images[i]`.
    neighbours: (n, k) int64, as rows (not ids), nearest first. distances: (n, k) float32, L2.
    recall: share of the true k nearest, measured on a sample (1.0 where the search was exact).
    """

    images: np.ndarray
    neighbours: np.ndarray
    distances: np.ndarray
    recall: float

    @property
    def k(self) -> int:
        """Neighbours of each image."""
        return self.neighbours.shape[1]


def knn_graph(
    ann: Ann,
    *,
    k: int = 15,
    exact: bool = False,
    threads: int = 1,
    seed: int = 0,
    progress: Progress = SILENT,
) -> KnnGraph:
    """The k (or all other, where there are fewer) nearest images of each image, and the recall of a sample."""
    images = np.flatnonzero(ann.vectors.valid)
    k = max(0, min(k, len(images) - 1))
    distances, ids = np.empty((len(images), k), np.float32), np.empty((len(images), k), np.int64)
    with progress.stage("nearest neighbours of each image", len(images), "images") as stage:
        for start in range(0, len(images) if k else 0, _BLOCK):
            own = images[start : start + _BLOCK]
            rows = ann.vectors.features[own]
            found = ann.search(rows, k, exact=exact, exclude=own, metric="l2", threads=threads)
            distances[start : start + len(own)], ids[start : start + len(own)] = found
            stage.advance(len(own))
    recall = 1.0 if exact or ann.index is None or not k else _recall(ann, images, distances, seed)
    return KnnGraph(images, np.searchsorted(images, ids), distances, recall)


def _recall(ann: Ann, images: np.ndarray, distances: np.ndarray, seed: int) -> float:
    """Equal distances count as found."""
    picked = np.random.default_rng(seed).choice(len(images), min(_SAMPLE, len(images)), replace=False)
    own, k = images[picked], distances.shape[1]
    truth, _ = ann.search(ann.vectors.features[own], k, exact=True, exclude=own, metric="l2")
    return float((distances[picked] <= truth[:, -1:]).mean())
