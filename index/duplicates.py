"""Images that are the same to the model: groups at a distance of about 0 in the graph of neighbours."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .knn import KnnGraph

WITHIN = 1e-3
"""Of the median distance between an image and its nearest: about what float32 leaves of 0."""


def duplicate_groups(graph: KnnGraph, *, within: float = WITHIN) -> list[np.ndarray]:
    """Groups of two or more images joined by distances of at most `within` times the median of the nearest's.

    Each is (m,) int64 image ids, ascending; the largest group first, then by its first image. Where most images have a
    twin that median is taken over those that have none.
    """
    rows = len(graph.images)
    if not graph.k:
        return []
    apart = graph.distances[graph.distances > 0]
    limit = within * float(np.median(graph.distances[:, 0]) or (apart.min() if len(apart) else 0.0))
    row, place = np.nonzero(graph.distances <= limit)
    edges = (np.ones(len(row), bool), (row, graph.neighbours[row, place]))
    _, group = connected_components(coo_array(edges, shape=(rows, rows)), directed=False)
    sizes = np.bincount(group)
    order = np.argsort(group, kind="stable")
    order = order[sizes[group[order]] > 1]
    found = np.split(graph.images[order], np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []
    return sorted(found, key=lambda ids: (-len(ids), int(ids[0])))
