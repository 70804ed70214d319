"""Makes an assignment of points to the cells of a grid cheaper, window by window, each solved exactly.

A window is `side` x `side` cells that lie `stride` apart. Wide strides come first: a handful of cells from all over the
grid undoes what is wrong at large, which windows of neighbours alone would pass on step by step. The windows of one
pass share no cell, so the result does not depend on the threads; those of the next pass are shifted, and begin with the
prices that the cells have had before. Each halving of the stride costs the same, so all of it is n log n. Points that
lie near their cells need larger windows than can be solved exactly: auction.py has those.

The cost is the squared distance from each point, scaled to the grid, to its cell's centre.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np

from .auction import SIDE, settle_windows

_SMALL = 8
"""Cells of a window's sides."""
_NEAR = 4.0
"""Squared cells: where points lie as near as this to theirs on average, a small window hems them in."""
_BANDS = 64


class _Pass(NamedTuple):
    """One cover of the grid by windows. down, right: by how many cells they are shifted up and to the left."""

    side: int
    stride: int
    down: int
    right: int


def to_grid(coordinates: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return (n, 2) float64 x, y in cells: the points' box stretched over the grid, so that (0.5, 0.5) is a cell's
    centre.
    """
    points = coordinates.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.where(high > low, high - low, 1)
    middle = np.where(high > low, 0.0, 0.5)
    return ((points - low) / extent + middle) * (columns, rows)


def cost(points: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> float:
    """Return the sum over all points. points: (n, 2) as `to_grid` gives them; rows, columns: (n,) of their cells."""
    return float(((points[:, 0] - columns - 0.5) ** 2 + (points[:, 1] - rows - 0.5) ** 2).sum())


def improve(points: np.ndarray, cells: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """Make the layout cheaper. cells: (rows, columns) int64, the point in each, -1 for none; changed in place, and
    given back.

    points: (n, 2) as `to_grid` gives them. The cost falls or stays with every pass.
    """
    points, prices = points - 0.5, np.zeros(cells.shape)
    with ThreadPoolExecutor(threads) as pool:
        if _mean_cost(cells, points) < _NEAR and _settle(pool, cells, points):
            return cells
        for one in _passes(cells.shape):
            _run(pool, one, cells, prices, points)
    return cells


def _settle(pool: ThreadPoolExecutor, cells: np.ndarray, points: np.ndarray) -> bool:
    """Settle by auction, in two covers of windows, a row of them at a time; False where that would take too long
    somewhere.
    """
    shifts = (0, SIDE // 2) if max(cells.shape) > SIDE else (0,)
    done: list[bool] = []
    for shift in shifts:
        bands = range(-(-(cells.shape[0] + shift) // SIDE))
        done += pool.map(lambda band, shift=shift: settle_windows(cells, points, shift, shift, band), bands)
    return all(done)


def _mean_cost(cells: np.ndarray, points: np.ndarray) -> float:
    """Return the mean cost. points: in cells, less 0.5: whole numbers are centres."""
    row, column = np.nonzero(cells >= 0)
    gaps = points[cells[row, column]] - np.stack([column, row], axis=1)
    return float((gaps**2).sum()) / max(1, len(gaps))


def _passes(shape: tuple[int, ...]) -> Iterator[_Pass]:
    """List passes, from windows that span the whole grid to those of neighbouring cells."""
    stride = 1
    while stride * _SMALL < max(shape):
        stride *= 2
    while stride:
        half = _SMALL * stride // 2
        yield _Pass(_SMALL, stride, 0, 0)
        yield _Pass(_SMALL, stride, half, half)
        stride //= 2


def _run(
    pool: ThreadPoolExecutor, one: _Pass, cells: np.ndarray, prices: np.ndarray, points: np.ndarray
) -> None:
    """Run all windows of a pass. A band is the rows of windows that begin with the same row of cells."""
    bands = -(-(cells.shape[0] + one.down) // (one.side * one.stride)) * one.stride
    cuts = np.linspace(0, bands, min(bands, _BANDS) + 1).astype(int).tolist()
    window = np.array(one)

    def run(first: int, stop: int) -> None:
        _solve_bands(cells, prices, points, window, first, stop)

    for _ in pool.map(run, cuts[:-1], cuts[1:]):
        pass


@numba.njit(nogil=True, cache=True)
def _solve_bands(  # noqa: PLR0917 - numba takes no keywords
    cells: np.ndarray, prices: np.ndarray, points: np.ndarray, window: np.ndarray, first: int, stop: int
) -> None:
    """Solve the windows of bands first … stop - 1. window: a `_Pass`."""
    height, width = cells.shape
    side, stride, down, right = window
    step = side * stride
    px, py, cx, cy = np.empty((4, side * side))
    price, who = np.empty(side * side), np.empty(side * side, np.int64)
    for band in range(first, stop):
        top = band // stride * step + band % stride - down
        for left in range((width + right + step - 1) // step * stride):
            begin = left // stride * step + left % stride - right
            count, places = 0, 0
            for row in range(top, min(height, top + step), stride):
                for column in range(begin, min(width, begin + step), stride):
                    if row < 0 or column < 0:
                        continue
                    cy[places], cx[places], price[places] = row, column, prices[row, column]
                    places += 1
                    found = cells[row, column]
                    if found >= 0:
                        who[count], px[count], py[count] = found, points[found, 0], points[found, 1]
                        count += 1
            if not count or places < 2:
                continue
            if count < places:  # what stays free must have had the highest price
                price[:] = 0
            before = price[:places].mean()
            match = _solve(px[:count], py[:count], cx[:places], cy[:places], price[:places])
            shift = price[:places].mean() - before
            for place in range(places):
                row, column, point = int(cy[place]), int(cx[place]), match[place]
                cells[row, column] = who[point] if point >= 0 else -1
                prices[row, column] = price[place] - shift


@numba.njit(nogil=True, cache=True)
def _solve(px: np.ndarray, py: np.ndarray, cx: np.ndarray, cy: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return (places,) the point of each place, -1 for none: the cheapest assignment of all points, by augmenting row
    reduction and shortest augmenting paths (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and
    sparse linear assignment problems", Computing 38, 1987).

    No more points than places. price: (places,), changed in place: the nearer it is to the end, the quicker.
    """
    count, places = len(px), len(cx)
    match, free = np.full(places, -1), np.arange(count)
    left, steps = count, 0
    while left and steps < 4 * count:
        steps += 1
        point = free[left - 1]
        best, second, least, next_least = -1, -1, np.inf, np.inf
        for place in range(places):
            gap = (px[point] - cx[place]) ** 2 + (py[point] - cy[place]) ** 2 - price[place]
            if gap < next_least:
                if gap < least:
                    second, next_least, best, least = best, least, place, gap
                else:
                    second, next_least = place, gap
        if second >= 0 and least < next_least:
            price[best] -= next_least - least
        elif second >= 0 and match[best] >= 0:
            best = second
        point, match[best] = match[best], point
        if point >= 0:
            free[left - 1] = point
        else:
            left -= 1
    reach, before, done = np.empty(places), np.empty(places, np.int64), np.empty(places, np.bool_)
    for start in free[:left]:
        _augment(start, px, py, cx, cy, price, match, reach, before, done)
    return match


@numba.njit(nogil=True, cache=True)
def _augment(  # noqa: PLR0917 - numba takes no keywords
    start: int,
    px: np.ndarray,
    py: np.ndarray,
    cx: np.ndarray,
    cy: np.ndarray,
    price: np.ndarray,
    match: np.ndarray,
    reach: np.ndarray,
    before: np.ndarray,
    done: np.ndarray,
) -> None:
    """Give one more point a place, along the shortest path of changes. reach, before, done: (places,), scratch."""
    reach[:] = np.inf
    done[:] = False
    point, last, length = start, -1, 0.0
    while True:
        own = 0.0
        if last >= 0:
            own = (px[point] - cx[last]) ** 2 + (py[point] - cy[last]) ** 2 - price[last]
        best, least = -1, np.inf
        for place in range(len(cx)):
            if done[place]:
                continue
            gap = length + (px[point] - cx[place]) ** 2 + (py[point] - cy[place]) ** 2 - price[place] - own
            if gap < reach[place]:
                reach[place], before[place] = gap, last
            if reach[place] < least:
                best, least = place, reach[place]
        last, length = best, least
        if match[last] < 0:
            break
        done[last] = True
        point = match[last]
    for place in range(len(cx)):
        if done[place]:
            price[place] += reach[place] - length
    while before[last] >= 0:
        match[last] = match[before[last]]
        last = before[last]
    match[last] = start
