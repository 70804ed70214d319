"""The scatter of an atlas: every image at its coordinates, in every level from the one in which there is room for it.

In no level do two thumbnails overlap, and who is shown in one is shown, at the same place, in all deeper ones. In the
deepest every image is shown: those for which there is no room where they are lie in the nearest free places, beside
each other (scatter_places.py, which makes it).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .tiles import Pyramid


@dataclass(frozen=True)
class Scatter:
    """x, y: (n,) int32, of each thumbnail's middle in pixels of the deepest level. first: (n,) int8, the level from
    which it is shown. cell: pixels of a thumbnail's sides in every level. moved: images that lie beside their place in
    the deepest level, at most `furthest` pixels.
    """

    x: np.ndarray
    y: np.ndarray
    first: np.ndarray
    pyramid: Pyramid
    moved: int
    furthest: float

    def shown(self, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the images of a level, ascending, and the left and upper edges of their thumbnails in its pixels."""
        who = np.flatnonzero(self.first <= level)
        return who, *self._edges(level, who)

    def at(self, level: int, x: float, y: float) -> int | None:
        """Return the place in the atlas of the image that is drawn over a pixel of a level."""
        cell = self.pyramid.cell
        side = self.pyramid.columns  # enough for the lattice of any level
        keys, who = self._lattices[level]
        column, row = int(x) // cell, int(y) // cell
        near = np.array([(row + down) * side + column + right for down in (-1, 0, 1) for right in (-1, 0, 1)])
        found = np.searchsorted(keys, near)
        found = found[(found < len(keys)) & (keys[np.minimum(found, len(keys) - 1)] == near)]
        left, top = self._edges(level, who[found])
        inside = (left <= x) & (x < left + cell) & (top <= y) & (y < top + cell)
        return int(who[found[inside][0]]) if inside.any() else None

    def _edges(self, level: int, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shift, half = len(self.pyramid.levels) - 1 - level, self.pyramid.cell // 2
        return (self.x[who] >> shift) - half, (self.y[who] >> shift) - half

    @cached_property
    def _lattices(self) -> "_Lattices":
        return _Lattices(self)


class _Lattices:
    """For each level that was asked for: squares of a thumbnail's size, ascending, and the image with its middle there.

    There is one at most, as no two overlap.
    """

    def __init__(self, scatter: Scatter) -> None:
        self._scatter = scatter
        self._made: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __getitem__(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        if level not in self._made:
            who, left, top = self._scatter.shown(level)
            cell, side = self._scatter.pyramid.cell, self._scatter.pyramid.columns
            key = (top + cell // 2).astype(np.int64) // cell * side + (left + cell // 2) // cell
            order = np.argsort(key)
            self._made[level] = key[order], who[order].astype(np.int32)
        return self._made[level]
