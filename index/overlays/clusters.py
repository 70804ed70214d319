"""Names for the clusters of a map: its density's hills, each by the labels that are much commoner there than elsewhere.

The map is cut into squares and blurred; every square belongs to the hill that going up from it leads to, and a hill
whose top is hardly above the pass to a higher one belongs to that one (the persistence of a peak; Chazal et al. 2013).
Hills of one name that touch are one cluster.
"""

from dataclasses import dataclass

import numpy as np

from ..labels.codes import LabelCodes
from .items import Labels
from .positions import MapPlaces

SCALES = (24, 48, 96)
"""Squares along a side of the map, from coarse to fine: the coarse cut's names are for the whole map."""
_FEWEST = 10
"""Labelled images that a cluster needs for a name."""
_SHARE, _LIFT = 0.2, 2.0
"""A label names a cluster that it is at least this share of, and this many times as common in as on the whole map."""
_TOGETHER = 3
_ALONE = 0.6
"""A label with this share names its cluster alone."""
_PASS = 0.9
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


def named_clusters(map_places: MapPlaces, labels: Labels, on_map: np.ndarray) -> list[Cluster]:
    """Return the clusters that have a name, coarse cuts first, then the largest. on_map: (n,) int64 items of the map.

    map_places: where the map has them, not the assigned grid.
    """
    codes = labels.codes.take(on_map)
    if not codes.labelled:
        return []
    usual = codes.counts(len(labels.names)) / codes.labelled
    found: list[Cluster] = []
    for scale, side in enumerate(SCALES):
        square, hill = hills(map_places, side)
        names = {top: _labels(codes.take(members), usual) for top, members in _split(hill[square])}
        clusters = _split(_joined(hill.reshape(side, side), names)[square])
        named = [
            Cluster(tuple(labels.names[code] for code in names[top]), len(members), scale, members)
            for top, members in clusters
            if names[top]
        ]
        found += sorted(named, key=lambda one: -one.images)
    return found


def hills(places: MapPlaces, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) int64: the square of each image; (squares,) int64: the square at the top of each square's hill.

    side: squares along each side of the map.
    """
    size = max(places.rows, places.columns) / side
    row = np.minimum((places.y / size).astype(np.int64), side - 1)
    column = np.minimum((places.x / size).astype(np.int64), side - 1)
    square = row * side + column
    counts = np.bincount(square, minlength=side * side).reshape(side, side)
    return square, _climb(_blurred(counts))


def _split(numbers: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return each number with the places, ascending, where it is."""
    order = np.argsort(numbers, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return [(int(numbers[piece[0]]), piece) for piece in pieces]


def _joined(hill: np.ndarray, names: dict[int, tuple[int, ...]]) -> np.ndarray:
    """Return (squares,) int64: as `hill`, (side, side), with one number for hills of one name that touch."""
    parent = {int(one): int(one) for one in np.unique(hill)}

    def top(one: int) -> int:
        while parent[one] != one:
            one = parent[one]
        return one

    for here, there in ((hill[1:], hill[:-1]), (hill[:, 1:], hill[:, :-1])):
        for one, other in np.unique(np.stack([here.ravel(), there.ravel()]), axis=1).T.tolist():
            if names.get(one) and names.get(one) == names.get(other):
                parent[max(top(one), top(other))] = min(top(one), top(other))
    return np.array([top(one) for one in hill.ravel().tolist()])


def _blurred(counts: np.ndarray) -> np.ndarray:
    """Return (side, side) float64, by a kernel of 5 x 5 squares: first along the rows, then along the columns."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    for _ in range(2):
        counts = np.stack([np.convolve(row, kernel, "same") for row in counts]).T
    return counts


def _climb(density: np.ndarray) -> np.ndarray:
    """Return (squares,) int64: the square at the top of each one's hill. density: (side, side).

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


def _labels(codes: LabelCodes, usual: np.ndarray) -> tuple[int, ...]:
    """Return the labels that name a cluster, the most telling first; none where no label is telling.

    codes: of the members. usual: (labels,) float64, each label's share of the labelled images of the map.
    """
    labelled = codes.labelled
    if labelled < _FEWEST:
        return ()
    share = codes.counts(len(usual)) / labelled
    lift = np.divide(share, usual, out=np.zeros(len(usual)), where=usual > 0)
    telling = np.flatnonzero((share >= _SHARE) & (lift >= _LIFT))
    order = sorted(telling.tolist(), key=lambda code: (-share[code] * np.log(lift[code]), code))
    if order and share[order[0]] >= _ALONE:
        return (order[0],)
    return tuple(order[:_TOGETHER])
