"""From what an overlay paints by to colours: of single images, and of squares that hold several. Pure.

A square shows the mean of its images' numbers, the commonest of their classes, or how many of them are wrong or marked.
"""

import numpy as np

from .map_places import MapPlaces
from .painted import Painted
from .palettes import MARK, SERIES, ordered, two_ended

OPAQUE, GAP = 255, 254
"""The opacity of a colour; that of missing values also says that they are: they are drawn as stripes."""
_FAINTEST = 90


def square_colours(painted: Painted, images: np.ndarray, places: MapPlaces, cells: int) -> np.ndarray:
    """(rows, columns, 4) uint8 of squares of cells x cells cells. images: (n,) int64 ids, those of `places`."""
    bins, rows, columns = places.bins(cells)
    values = painted.values[images]
    known = ~np.isnan(values)
    found = np.zeros((rows * columns, 4), np.uint8)
    if painted.kind != "marked":
        found[bins] = (0, 0, 0, GAP)
    numbers, counts = _summed(painted, bins[known], values[known], rows * columns)
    there = np.flatnonzero(counts)
    found[there, :3] = _colours(painted, numbers[there])
    found[there, 3] = OPAQUE
    if painted.kind == "marked":  # the fuller, the more of a square's images are
        share = counts[there] / np.bincount(bins, minlength=rows * columns)[there]
        found[there, 3] = np.rint(_FAINTEST + (OPAQUE - _FAINTEST) * share)
        found[found[:, 3] == GAP, 3] = OPAQUE
    return found.reshape(rows, columns, 4)


def _summed(
    painted: Painted, bins: np.ndarray, values: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each square its one number, (size,) float64, and of how many images it is."""
    counts = np.bincount(bins, minlength=size)
    if painted.kind != "classes":
        return np.bincount(bins, weights=values, minlength=size) / np.maximum(counts, 1), counts
    classes = len(painted.names)
    pairs, frequent = np.unique(bins * classes + values.astype(np.int64), return_counts=True)
    # in this order the last of a square is its commonest class, and of equals the first
    order = np.lexsort((-pairs, frequent, pairs // classes))
    numbers = np.zeros(size)
    numbers[pairs[order] // classes] = pairs[order] % classes
    return numbers, counts


def _colours(painted: Painted, numbers: np.ndarray) -> np.ndarray:
    if painted.kind == "marked":
        return np.broadcast_to(np.array(MARK, np.uint8), (len(numbers), 3))
    if painted.kind == "classes":
        return SERIES[numbers.astype(np.int64) % len(SERIES)]
    if painted.kind == "share":
        return two_ended(numbers)
    return ordered(shares(painted, numbers))


def shares(painted: Painted, numbers: np.ndarray) -> np.ndarray:
    """(n,) from 0 to 1: where numbers stand between `low` and `high`."""
    low, high = painted.low, painted.high
    if painted.logarithmic:
        low, high, numbers = np.log1p(low), np.log1p(high), np.log1p(numbers)
    return np.clip((numbers - low) / ((high - low) or 1), 0, 1)


def image_colours(painted: Painted, values: np.ndarray) -> np.ndarray:
    """(n, 4) uint8. values: (n,) float32, of single images."""
    found = np.zeros((len(values), 4), np.uint8)
    known = ~np.isnan(values)
    found[known, :3] = _colours(painted, values[known])
    found[known, 3] = OPAQUE
    if painted.kind != "marked":
        found[~known, 3] = GAP
    return found
