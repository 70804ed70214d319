"""Places the thumbnails of a scatter: who is shown from which level on, and where those lie for whom there is no room.

Level by level each image, in an order drawn from its id, is shown if it overlaps none that is there already. What that
gives is even wherever there are images at all, as dart throwing is (Cook, "Stochastic sampling in computer graphics",
1986), and an image's turn does not depend on which others there are. Who is left in the deepest level takes the nearest
free place along a Hilbert curve, which keeps heaps of equal points together.
"""

import numba
import numpy as np

from ..projection.grid import scaled
from .scatter import Scatter
from .tiles import TILE, Pyramid

_ROOM = 4
"""Places in the deepest level for each image, at least: a thumbnail between the places takes four."""
_LEFT = 0.1
"""A level more is worth its tiles where more than this share of the images had no room."""
_TILES = 1 << 18
"""Tiles of the deepest level, at most, for the sake of `_LEFT`."""


def scatter_of(images: np.ndarray, coordinates: np.ndarray, cell: int) -> Scatter:
    """Lay out a scatter. images: (n,) int64 ids. coordinates: (n, 2) x, y, finite. cell: pixels of a thumbnail's
    sides, a power of two.
    """
    deepest = 0
    while (TILE // cell << deepest) ** 2 < _ROOM * len(images):
        deepest += 1
    more = deepest + ((1 << deepest + 1) ** 2 <= _TILES)
    margin = cell / TILE / 2  # half a thumbnail in level 0: none is cut off
    share = scaled(coordinates) * (1 - 2 * margin) + margin if len(images) else np.empty((0, 2))
    x, y = (np.minimum(share, np.nextafter(1 - margin, 0)).T * (TILE << more)).astype(np.int32)
    first, order = np.full(len(images), more + 1, np.int8), np.argsort(_turn(images), kind="stable")
    level = 0
    while True:
        _show(x >> more - level, y >> more - level, first, order, level, cell, TILE // cell << level)
        if level >= deepest and (level == more or (first > level).mean() <= _LEFT):
            break
        level += 1
    x, y = x >> more - level, y >> more - level
    side = TILE // cell << level
    late = np.flatnonzero(first > level)
    there = np.flatnonzero(first <= level)
    column, row = _free_places(x[late], y[late], x[there], y[there], cell, side)
    gap = np.hypot(column * cell + cell // 2 - x[late], row * cell + cell // 2 - y[late])
    x[late], y[late], first[late] = column * cell + cell // 2, row * cell + cell // 2, level
    furthest = float(gap.max()) if len(late) else 0.0
    return Scatter(x, y, first, Pyramid(side, side, cell), len(late), furthest)


def _turn(images: np.ndarray) -> np.ndarray:
    """Return (n,) uint64 that look random: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    mixed = images.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _show(  # noqa: PLR0917 - numba takes no keywords
    x: np.ndarray, y: np.ndarray, first: np.ndarray, order: np.ndarray, level: int, cell: int, side: int
) -> None:
    """Set `first` of whom there is room for in a level. x, y: (n,) in its pixels. side: places along an edge."""
    there = np.full((side, side), -1, np.int32)
    for image in range(len(x)):
        if first[image] < level:
            there[y[image] // cell, x[image] // cell] = image
    for image in order:
        if first[image] < level:
            continue
        row, column, free = y[image] // cell, x[image] // cell, True
        for near_row in range(max(0, row - 1), min(side, row + 2)):
            for near_column in range(max(0, column - 1), min(side, column + 2)):
                other = there[near_row, near_column]
                if other >= 0 and abs(x[other] - x[image]) < cell and abs(y[other] - y[image]) < cell:
                    free = False
        if free:
            there[row, column] = image
            first[image] = level


def _free_places(  # noqa: PLR0917 - two lists of points on one lattice
    x: np.ndarray, y: np.ndarray, taken_x: np.ndarray, taken_y: np.ndarray, cell: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (m,) columns and rows of a place of its own for each, which no thumbnail touches.

    x, y: where they would lie, taken_x, taken_y: where others do; middles in pixels. side: places along an edge, a
    power of two. Along the curve each goes as little forward as those before it make it, likewise backward, and stays
    half-way between.
    """
    left, top = taken_x - cell // 2, taken_y - cell // 2
    corners = [
        _along((left + right) // cell, (top + down) // cell, side)
        for right in (0, cell - 1)
        for down in (0, cell - 1)
    ]
    taken = np.unique(np.concatenate(corners))
    wanted = _along(x // cell, y // cell, side)
    order = np.argsort(wanted, kind="stable")
    wanted = wanted[order] - np.searchsorted(taken, wanted[order])
    places, turn = side * side - len(taken), np.arange(len(wanted))
    forward = np.minimum(turn + np.maximum.accumulate(wanted - turn), places - len(turn) + turn)
    backward = np.maximum(turn + np.minimum.accumulate((wanted - turn)[::-1])[::-1], turn)
    free = (forward + backward) // 2
    found = np.empty(len(wanted), np.int64)
    found[order] = free + np.searchsorted(taken - np.arange(len(taken)), free, side="right")
    return _of_curve(found, side)


def _along(column: np.ndarray, row: np.ndarray, side: int) -> np.ndarray:
    """Return (n,) int64: the place of a cell on a Hilbert curve over side x side cells."""
    x, y = column.astype(np.int64), row.astype(np.int64)
    place = np.zeros(len(x), np.int64)
    half = side // 2
    while half:
        right, below = (x & half) > 0, (y & half) > 0
        place += half * half * ((3 * right) ^ below)
        x, y = _turned(x, y, right, below, side)
        half //= 2
    return place


def _of_curve(place: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the reverse of `_along`: columns and rows."""
    x, y, left = np.zeros(len(place), np.int64), np.zeros(len(place), np.int64), place.copy()
    half = 1
    while half < side:
        right = (left // 2 & 1) > 0
        below = ((left ^ right) & 1) > 0
        x, y = _turned(x, y, right, below, half)
        x, y = x + half * right, y + half * below
        left //= 4
        half *= 2
    return x, y


def _turned(
    x: np.ndarray, y: np.ndarray, right: np.ndarray, below: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a quarter of the curve in its own direction."""
    flipped = ~below & right
    x, y = np.where(flipped, side - 1 - x, x), np.where(flipped, side - 1 - y, y)
    return np.where(below, x, y), np.where(below, y, x)
