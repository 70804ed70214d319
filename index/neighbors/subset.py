"""What an index holds: all images of a store that have a feature, or some of them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .exact import Metric, Vectors, chunks
from .index import NeighborIndex
from .ivf import IvfIndex
from .tune import prepared


def fill(index: IvfIndex, vectors: Vectors, ids: np.ndarray, metric: Metric) -> Iterator[np.ndarray]:
    """Add images (ids,) int64 to an index, and gives them run by run once they are in it."""
    for start, stop in chunks(len(ids), vectors.features.shape[1]):
        run = ids[start:stop]
        index.add(prepared(vectors, run, metric), run)
        yield run


def holding(ann: NeighborIndex, images: np.ndarray) -> NeighborIndex:
    """Return an index of some images alone, with the lists and codes of one of all.

    images: (m,) int64, with features. As many more lists are opened as there are images fewer, so that a search reads
    as many codes as before.
    """
    valid = np.zeros(ann.images, bool)
    valid[images] = True
    vectors = replace(ann.vectors, valid=valid)
    if ann.index is None:
        return replace(ann, vectors=vectors)
    index, fewer = ann.index.emptied(), ann.vectors.valid.sum() / max(1, len(images))
    for _ in fill(index, ann.vectors, images, ann.metric):
        pass
    points = [
        replace(point, probes=min(index.lists, int(np.ceil(point.probes * fewer)))) for point in ann.points
    ]
    return replace(ann, vectors=vectors, index=index, points=tuple(points))
