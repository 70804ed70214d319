"""Names for the clusters of a map: its density's hills, each by the labels that are much commoner there than elsewhere.

The map is cut into squares and blurred; every square belongs to the hill that going up from it leads to, and a hill
whose top is hardly above the pass to a higher one belongs to that one (the persistence of a peak; Chazal et al. 2013).
"""

from dataclasses import dataclass

import numpy as np

from .image_columns import ImageColumns
from .map_places import MapPlaces

SCALES = (16, 32, 64)
"""Squares along a side of the map, from coarse to fine: the coarse cut's names are for the whole map."""
_FEWEST = 20
"""Labelled images that a cluster needs for a name."""
_SHARE, _LIFT = 0.2, 2.0
"""A label names a cluster that it is at least this share of, and this many times as common in as on the whole map."""
_TOGETHER = 3
_PASS = 0.75
"""A hill whose top is below its highest pass divided by this is part of its neighbour."""


@dataclass(frozen=True)
class Cluster:
    """labels: that name it, the most telling first. images: in it. members: (images,) int64 places on the map.

    scale: the index in SCALES of the cut that it is of.
    """

    labels: tuple[str, ...]
    images: int
    scale: int
    members: np.ndarray


def named_clusters(map_places: MapPlaces, images: ImageColumns, on_map: np.ndarray) -> list[Cluster]:
    """The clusters that have a name, coarse cuts first, then the largest. on_map: (n,) int64 ids of the map's images.

    map_places: where the map has them, not the assigned grid.
    """
    codes = images.codes[on_map]
    if not len(on_map) or not (codes >= 0).any():
        return []
    overall = np.bincount(codes[codes >= 0], minlength=len(images.labels))
    found: list[Cluster] = []
    for scale, side in enumerate(SCALES):
        clusters = hills(map_places, side)
        named = [_named(members, codes, overall, images.labels, scale) for members in clusters]
        found += sorted((one for one in named if one is not None), key=lambda one: -one.images)
    return found


def hills(places: MapPlaces, side: int) -> list[np.ndarray]:
    """The places, ascending, of the images on each hill. side: squares along each side."""
    size = max(places.rows, places.columns) / side
    row = np.minimum((places.y / size).astype(np.int64), side - 1)
    column = np.minimum((places.x / size).astype(np.int64), side - 1)
    square = row * side + column
    counts = np.bincount(square, minlength=side * side).reshape(side, side)
    hill = _climb(_blurred(counts))[square]
    order = np.argsort(hill, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(hill[order])) + 1)


def _blurred(counts: np.ndarray) -> np.ndarray:
    """(side, side) float64, by a kernel of 5 x 5 squares."""
    blurred = counts.astype(np.float64)
    for axis in (0, 1):
        padded = np.pad(blurred, [(2, 2) if one == axis else (0, 0) for one in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=axis)
        blurred = windows @ (np.array([1, 4, 6, 4, 1]) / 16)
    return blurred


def _climb(density: np.ndarray) -> np.ndarray:
    """(squares,) int64: the square at the top of each one's hill. density: (side, side).

    Squares are added from the densest on; where two hills meet, the lower one is joined to the higher if it hardly
    rises above the place where they meet.
    """
    side = len(density)
    flat = density.ravel()
    parent = np.full(flat.size, -1, np.int64)

    def top(square: int) -> int:
        while parent[square] != square:
            parent[square] = parent[parent[square]]
            square = int(parent[square])
        return square

    for square in np.argsort(-flat, kind="stable").tolist():
        row, column = divmod(square, side)
        near = [
            r * side + c
            for r in range(max(0, row - 1), min(side, row + 2))
            for c in range(max(0, column - 1), min(side, column + 2))
        ]
        tops = sorted({top(one) for one in near if parent[one] >= 0}, key=lambda one: (-flat[one], one))
        parent[square] = tops[0] if tops else square
        for lower in tops[1:]:
            if flat[lower] * _PASS <= flat[square]:
                parent[lower] = tops[0]
    return np.array([top(square) for square in range(flat.size)])


def _named(
    members: np.ndarray, codes: np.ndarray, overall: np.ndarray, labels: tuple[str, ...], scale: int
) -> Cluster | None:
    own = codes[members]
    own = own[own >= 0]
    if len(own) < _FEWEST:
        return None
    counts = np.bincount(own, minlength=len(labels))
    share, usual = counts / len(own), overall / overall.sum()
    lift = np.divide(share, usual, out=np.zeros(len(labels)), where=usual > 0)
    telling = np.flatnonzero((share >= _SHARE) & (lift >= _LIFT))
    if not len(telling):
        return None
    order = sorted(telling.tolist(), key=lambda code: (-share[code] * np.log(lift[code]), code))
    return Cluster(tuple(labels[code] for code in order[:_TOGETHER]), len(members), scale, members)
