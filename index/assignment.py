"""Makes an assignment of points to the cells of a grid cheaper, window by window, each solved exactly.

A window is `k` x `k` cells that lie `stride` apart. Wide strides come first: a handful of cells from all over the grid
undoes what is wrong at large, which windows of neighbours alone would pass on step by step. The windows of one pass
share no cell, so the result does not depend on the threads; those of the next pass are shifted. Each
halving of the stride costs the same, so all of it is n log n.

The cost is the squared distance from each point, scaled to the grid, to its cell's centre.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np

_SMALL, _LARGE = 8, 16
"""Cells of a window's sides."""
_NEAR = 4.0
"""Squared cells: where points lie as near as this to theirs, a small window hems them in, and a large one is cheap."""
_BANDS = 64


class _Pass(NamedTuple):
    """One cover of the grid by windows. down, right: by how many cells they are shifted up and to the left."""

    side: int
    stride: int
    down: int
    right: int


def to_grid(coordinates: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(n, 2) float64 x, y in cells: the points' box stretched over the grid, so that (0.5, 0.5) is a cell's centre."""
    points = coordinates.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.where(high > low, high - low, 1)
    middle = np.where(high > low, 0.0, 0.5)
    return ((points - low) / extent + middle) * (columns, rows)


def cost(points: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> float:
    """The sum over all points. points: (n, 2) as `to_grid` gives them; rows, columns: (n,) of their cells."""
    return float(((points[:, 0] - columns - 0.5) ** 2 + (points[:, 1] - rows - 0.5) ** 2).sum())


def improve(points: np.ndarray, cells: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """cells: (rows, columns) int64, the point in each, -1 for none; changed in place, and given back.

    points: (n, 2) as `to_grid` gives them. The cost falls or stays with every pass.
    """
    x, y = np.ascontiguousarray(points[:, 0]) - 0.5, np.ascontiguousarray(points[:, 1]) - 0.5
    with ThreadPoolExecutor(threads) as pool:
        for one in _coarse(cells.shape):
            _run(pool, one, cells, x, y)
        for one in _fine(near=_mean_cost(cells, x, y) < _NEAR):
            _run(pool, one, cells, x, y)
    return cells


def _mean_cost(cells: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    row, column = np.nonzero(cells >= 0)
    who = cells[row, column]
    return float(((x[who] - column) ** 2 + (y[who] - row) ** 2).sum()) / max(1, len(who))


def _coarse(shape: tuple[int, ...]) -> Iterator[_Pass]:
    """From windows that span the whole grid to every fourth cell."""
    stride = 4
    while stride * _SMALL < max(shape):
        stride *= 2
    while stride > 2:
        yield from _covers(_SMALL, stride, 2)
        stride //= 2


def _fine(*, near: bool) -> Iterator[_Pass]:
    side = _LARGE if near else _SMALL
    yield from _covers(side, 2, 2)
    yield from _covers(side, 1, 6 if near else 2)


def _covers(side: int, stride: int, count: int) -> Iterator[_Pass]:
    half = side * stride // 2
    quarter = half // 2
    shifts = (
        (0, 0),
        (half, half),
        (half, 0),
        (0, half),
        (quarter, quarter),
        (half + quarter, half + quarter),
    )
    for down, right in shifts[:count]:
        yield _Pass(side, stride, down, right)


def _run(pool: ThreadPoolExecutor, one: _Pass, cells: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """All windows of a pass. A band is the rows of windows that begin with the same row of cells."""
    bands = -(-(cells.shape[0] + one.down) // (one.side * one.stride)) * one.stride
    cuts = np.linspace(0, bands, min(bands, _BANDS) + 1).astype(int).tolist()

    def run(first: int, stop: int) -> None:
        _solve_bands(cells, x, y, one.side, one.stride, one.down, one.right, first, stop)

    for _ in pool.map(run, cuts[:-1], cuts[1:]):
        pass


@numba.njit(nogil=True, cache=True)
def _solve_bands(
    cells: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    side: int,
    stride: int,
    down: int,
    right: int,
    first: int,
    stop: int,
) -> None:
    """Solves the windows of bands first … stop - 1."""
    height, width = cells.shape
    room = side * side
    step = side * stride
    px, py, cx, cy = np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    who = np.empty(room, np.int64)
    for band in range(first, stop):
        top = band // stride * step + band % stride - down
        for left in range((width + right + step - 1) // step * stride):
            begin = left // stride * step + left % stride - right
            points, places = 0, 0
            for row in range(top, min(height, top + step), stride):
                for column in range(begin, min(width, begin + step), stride):
                    if row < 0 or column < 0:
                        continue
                    cy[places], cx[places] = row, column
                    places += 1
                    found = cells[row, column]
                    if found >= 0:
                        who[points], px[points], py[points] = found, x[found], y[found]
                        points += 1
            if points and places > 1:
                match = _solve(px[:points], py[:points], cx[:places], cy[:places])
                for place in range(places):
                    point = match[place]
                    cells[int(cy[place]), int(cx[place])] = who[point] if point >= 0 else -1


@numba.njit(nogil=True, cache=True)
def _solve(px: np.ndarray, py: np.ndarray, cx: np.ndarray, cy: np.ndarray) -> np.ndarray:
    """(places,) the point of each place, -1 for none: the cheapest assignment of all points, by shortest augmenting
    paths over reduced costs (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
    assignment problems", Computing 38, 1987). No more points than places.
    """
    points, places = len(px), len(cx)
    price = np.zeros(places)
    match, taken = np.full(places, -1), np.full(points, False)
    if points == places:  # else a place that stays empty must keep the price 0
        for place in range(places):
            best, least = 0, np.inf
            for point in range(points):
                gap = (px[point] - cx[place]) ** 2 + (py[point] - cy[place]) ** 2
                if gap < least:
                    best, least = point, gap
            price[place] = least
            if not taken[best]:
                taken[best] = True
                match[place] = best
    before = np.empty(places, np.int64)
    reach = np.empty(places)
    done = np.empty(places, np.bool_)
    for start in range(points):
        if taken[start]:
            continue
        reach[:] = np.inf
        done[:] = False
        point, last, length = start, -1, 0.0
        while True:
            own = 0.0
            if last >= 0:
                own = (px[point] - cx[last]) ** 2 + (py[point] - cy[last]) ** 2 - price[last]
            best, least = -1, np.inf
            for place in range(places):
                if done[place]:
                    continue
                gap = (
                    length + (px[point] - cx[place]) ** 2 + (py[point] - cy[place]) ** 2 - price[place] - own
                )
                if gap < reach[place]:
                    reach[place] = gap
                    before[place] = last
                if reach[place] < least:
                    best, least = place, reach[place]
            last, length = best, least
            if match[last] < 0:
                break
            done[last] = True
            point = match[last]
        for place in range(places):
            if done[place]:
                price[place] += reach[place] - length
        while before[last] >= 0:
            match[last] = match[before[last]]
            last = before[last]
        match[last] = start
    return match
