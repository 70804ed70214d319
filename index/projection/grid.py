"""Grids over a map: one image per cell, or a cell for each image.

Cells are square; row 0 holds the lowest y and column 0 the lowest x.
"""

from typing import NamedTuple

import numpy as np


class NearestGrid(NamedTuple):
    """rows: (side, side) int64, the point nearest the cell's centre, or -1 where no point lies in the cell.

    density: (side, side) int64, points in the cell.
    """

    rows: np.ndarray
    density: np.ndarray


def nearest_grid(coordinates: np.ndarray, side: int) -> NearestGrid:
    """Return the square around all points cut into side x side cells. coordinates: (n, 2) x, y, finite.

    Of equally near points the first; a map that is flat in one direction fills the middle row or column.
    """
    rows, density = np.full(side * side, -1, np.int64), np.zeros(side * side, np.int64)
    if len(coordinates):
        points = scaled(coordinates) * side
        row, column = _cells(points, side)
        cell = row * side + column
        gap = (points[:, 0] - column - 0.5) ** 2 + (points[:, 1] - row - 0.5) ** 2
        order = np.lexsort((np.arange(len(cell)), gap, cell))
        filled, first = np.unique(cell[order], return_index=True)
        rows[filled] = order[first]
        density = np.bincount(cell, minlength=side * side).astype(np.int64)
    return NearestGrid(rows.reshape(side, side), density.reshape(side, side))


def nearest_cells(coordinates: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns, each (n,) int64: in which cell of `nearest_grid` each point lies."""
    if not len(coordinates):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return _cells(scaled(coordinates) * side, side)


def _cells(scaled: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    column, row = np.clip(np.floor(scaled).astype(np.int64), 0, side - 1).T
    return row, column


def scaled(coordinates: np.ndarray) -> np.ndarray:
    """Return (n, 2) float64 x, y in the unit square, both axes by the same factor, centred. coordinates: (n, 2), n >
    0.
    """
    points = coordinates.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max()) or 1.0
    return (points - (low + high) / 2) / extent + 0.5


def assigned_grid(coordinates: np.ndarray, *, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return a cell of its own for each point: rows (n,) and columns (n,) int32 of a grid as square as it can be.

    Median splits, made better window by window (assignment.py). The same for any number of threads.
    """
    # Here, for numba takes long to import, and who only reads an atlas never needs it.
    from .assignment import improve, to_grid

    rows, columns = split_grid(coordinates)
    if not len(rows):
        return rows, columns
    width = int(np.ceil(np.sqrt(len(rows))))
    cells = np.full((-(-len(rows) // width), width), -1, np.int64)
    cells[rows, columns] = np.arange(len(rows))
    improve(to_grid(coordinates, *cells.shape), cells, threads=threads)
    row, column = np.nonzero(cells >= 0)
    rows[cells[row, column]], columns[cells[row, column]] = row, column
    return rows, columns


def split_grid(coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make one as `assigned_grid` does, by median splits alone.

    The grid is halved again and again along its longer side, and the points with it, at their median, so that who is
    left of whom on the map is left in the grid. n log n: two sorts, then one stable partition of each for each level.
    """
    n = len(coordinates)
    columns = int(np.ceil(np.sqrt(n))) or 1
    cells = _Cells(coordinates, -(-n // columns), columns)
    while cells.split():
        pass
    rows, places = np.empty(n, np.int32), np.empty(n, np.int32)
    group = np.repeat(np.arange(len(cells.count)), cells.count)
    rows[cells.by_x], places[cells.by_x] = cells.top[group], cells.left[group]
    return rows, places


class _Cells:
    """Rectangles of cells, each with its points: a run of `by_x` (sorted by x) and the same run of `by_y`."""

    def __init__(self, coordinates: np.ndarray, height: int, width: int) -> None:
        numbers = np.arange(len(coordinates))
        x, y = coordinates[:, 0], coordinates[:, 1]
        self.by_x, self.by_y = np.lexsort((numbers, y, x)), np.lexsort((numbers, x, y))
        self.count = np.array([len(coordinates)])
        self.top, self.left = np.array([0]), np.array([0])
        self.height, self.width = np.array([height]), np.array([width])

    def split(self) -> bool:
        """Halve every rectangle of more than one cell; False where there was none."""
        flat = self.width >= self.height
        whole = np.where(flat, self.width, self.height)
        if whole.max() == 1:
            return False
        half = (whole + 1) // 2  # a rectangle of one cell keeps it, and its other half is empty
        across = np.where(flat, self.height, self.width)
        room, other_room = half * across, (whole - half) * across
        share = np.rint(self.count * room / (room + other_room)).astype(np.int64)
        first = np.clip(share, self.count - other_room, np.minimum(room, self.count))
        self._part(flat, first)
        second = self.count - first
        tops = (self.top, self.top + np.where(flat, 0, half))
        lefts = (self.left, self.left + np.where(flat, half, 0))
        heights = (np.where(flat, self.height, half), np.where(flat, self.height, whole - half))
        widths = (np.where(flat, half, self.width), np.where(flat, whole - half, self.width))
        self.count = _pairs(first, second)
        self.top, self.left = _pairs(*tops), _pairs(*lefts)
        self.height, self.width = _pairs(*heights), _pairs(*widths)
        self._drop_empty()
        return True

    def _part(self, flat: np.ndarray, first: np.ndarray) -> None:
        """Move each rectangle's first points along its longer side to the front of its runs, in their order."""
        group = np.repeat(np.arange(len(self.count)), self.count)
        start = np.repeat(np.cumsum(self.count) - self.count, self.count)
        leads = np.arange(len(group)) - start < first[group]
        in_first = np.empty(len(group), bool)
        along_x = flat[group]
        in_first[self.by_x[along_x]] = leads[along_x]
        in_first[self.by_y[~along_x]] = leads[~along_x]
        for order in (self.by_x, self.by_y):
            chosen = in_first[order]
            before = np.cumsum(chosen) - chosen
            in_group = before - before[start]
            place = np.arange(len(group)) - start
            target = start + np.where(chosen, in_group, first[group] + place - in_group)
            order[target] = order.copy()

    def _drop_empty(self) -> None:
        """Drop rectangles without points, which need no more splitting."""
        full = self.count > 0
        self.count, self.top, self.left = self.count[full], self.top[full], self.left[full]
        self.height, self.width = self.height[full], self.width[full]


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return first[0], second[0], first[1], …"""
    return np.stack([first, second], axis=1).ravel()
