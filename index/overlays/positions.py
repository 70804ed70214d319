"""Where each image of an atlas lies in one of its views, and which images lie in a region that was drawn there.

Places are in cells from the grid's upper left corner, as in everything that is said of a view.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...common.errors import NotBuiltError
from ..atlas.atlas import Atlas
from ..projection.grid import scaled

CORNERS = 500
"""Of a region, at most."""


@dataclass(frozen=True)
class MapPlaces:
    """x, y: (n,) float64, of each image in the atlas's order. rows, columns: cells of the grid."""

    x: np.ndarray
    y: np.ndarray
    rows: int
    columns: int

    @staticmethod
    def of(atlas: Atlas, grid: str) -> "MapPlaces":
        """Return the positions: in the assigned grid an image lies in the middle of its own cell, in the scatter where
        its thumbnail is in the deepest level, else where the map has it. Raises NotBuiltError for an atlas without a
        scatter.
        """
        if grid == "assigned":
            y, x = atlas.cells.T + 0.5
            return MapPlaces(x, y, *atlas.assigned.shape)
        if grid == "scatter":
            if atlas.scatter is None:
                without = f"the atlas {atlas.name} was made without tiles, and so without a scatter"
                raise NotBuiltError(without, atlas.build_command())
            found, pyramid = atlas.scatter, atlas.scatter.pyramid
            return MapPlaces(found.x / pyramid.cell, found.y / pyramid.cell, pyramid.rows, pyramid.columns)
        side = len(atlas.grid)
        x, y = scaled(atlas.coordinates).T * side if len(atlas.images) else np.empty((2, 0))
        return MapPlaces(x, y, side, side)

    @property
    def bytes(self) -> int:
        """In memory, with what `inside` keeps."""
        return 3 * self.x.nbytes + 3 * self.y.nbytes

    def bins(self, cells: int) -> tuple[np.ndarray, int, int]:
        """Return squares of `cells` x `cells` cells: the number of each image's, (n,) int64, and their rows and
        columns.
        """
        rows, columns = -(-self.rows // cells), -(-self.columns // cells)
        row = np.clip(self.y.astype(np.int64), 0, self.rows - 1) // cells
        column = np.clip(self.x.astype(np.int64), 0, self.columns - 1) // cells
        return row * columns + column, rows, columns

    def inside(self, corners: np.ndarray) -> np.ndarray:
        """Return (m,) int64, ascending: the images that lie in a polygon, by the even-odd rule. corners: (k, 2)
        float64 x, y.

        Each side is only compared with the images between its ends' heights, which are found in an order by height.
        """
        order, heights = self._by_height
        odd = np.zeros(len(order), bool)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            first, stop = np.searchsorted(heights, sorted((y0, y1)))
            crossing = x0 + (heights[first:stop] - y0) * ((x1 - x0) / (y1 - y0))
            odd[first:stop] ^= self.x[order[first:stop]] < crossing
        return np.sort(order[odd])

    def box(self, places: np.ndarray) -> tuple[float, float, float, float] | None:
        """Return x0, y0, x1, y1 of the cells around most of some images (5 % on each side may be left out); None for
        none.
        """
        if not len(places):
            return None
        x0, x1 = np.quantile(self.x[places], (0.05, 0.95), method="nearest")
        y0, y1 = np.quantile(self.y[places], (0.05, 0.95), method="nearest")
        return float(np.floor(x0)), float(np.floor(y0)), float(np.floor(x1) + 1), float(np.floor(y1) + 1)

    @cached_property
    def _by_height(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.y, kind="stable")
        return order, self.y[order]
