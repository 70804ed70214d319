"""Points that lie near their cells, evenly: an auction gives each a cell of its own, windows at a time.

Each point without a cell bids for the one that is cheapest to it, cost and price together, and outbids who has it: the
price rises by what the next best is worse, and by a step. The sum of all costs is then within one step a point of the
least there is. Steps get smaller while the prices stay. A point looks around itself alone, and further only where a
cell beyond might be cheaper. Cells that stay free have bidders too, to whom all are equally near.

Source: Bertsekas, "The auction algorithm: a distributed relaxation method for the assignment problem", Annals of
Operations Research 14, 1988.
"""

import math
from typing import Any

import numba
import numpy as np

SIDE = 64
"""Cells of a window's sides."""
_STEPS = np.array([3.0, 1.0, 0.4])
_SMALL_STEPS = np.array([3.0, 1.0, 0.4, 0.1])
"""Squared cells."""
_SMALL = 2048
"""Cells of a window that has time for the small steps."""
_REACH = 1
_MOST_BIDS = 400
"""Bids for each point after which a window is left as it was: its points lie too unevenly."""


@numba.njit(nogil=True, cache=True)
def settle_windows(cells: np.ndarray, points: np.ndarray, down: int, right: int, band: int) -> bool:
    """Settle row `band` of the windows, which are shifted by `down` and `right` cells to the top and left.

    cells: (rows, columns) int64, the point in each, -1 for none; changed where that is cheaper. points: (n, 2) float64
    x, y in cells; whole numbers are centres. False where a window is left as it was, for it would take too long.
    """
    height, width = cells.shape
    settled = True
    top, bottom = max(0, band * SIDE - down), min(height, (band + 1) * SIDE - down)
    for left in range(-right, width, SIDE):
        window = cells[top:bottom, max(0, left) : left + SIDE]
        settled &= _settle(window, points, top, max(0, left))
    return settled


@numba.njit(nogil=True, cache=True)
def _settle(cells: np.ndarray, points: np.ndarray, top: int, left: int) -> bool:
    """Return one window, whose first cell is at (top, left) of the grid."""
    count, before = 0, 0.0
    who, x, y = np.empty(cells.size, np.int64), np.empty(cells.size), np.empty(cells.size)
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            point = cells[row, column]
            if point >= 0:
                who[count], x[count], y[count] = point, points[point, 0] - left, points[point, 1] - top
                before += (x[count] - column) ** 2 + (y[count] - row) ** 2
                count += 1
    price, owner = np.zeros(cells.shape), np.full(cells.shape, -1)
    for step in _STEPS if cells.size > _SMALL else _SMALL_STEPS:
        price -= price.min()
        owner[:] = -1
        if not _auction(x[:count], y[:count], price, owner, step):
            return False
    after = 0.0
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            if owner[row, column] < count:
                after += (x[owner[row, column]] - column) ** 2 + (y[owner[row, column]] - row) ** 2
    if after < before:
        for row in range(cells.shape[0]):
            for column in range(cells.shape[1]):
                one = owner[row, column]
                cells[row, column] = who[one] if one < count else -1
    return True


@numba.njit(nogil=True, cache=True)
def _auction(x: np.ndarray, y: np.ndarray, price: np.ndarray, owner: np.ndarray, step: float) -> bool:
    """Give every cell an owner, (rows, columns) int64: a point, or len(x) and more. False for too many bids."""
    count = price.size
    queue, head, waiting = np.arange(count), 0, count
    bids = 0
    while waiting:
        if bids == _MOST_BIDS * count:
            return False
        bids += 1
        point = queue[head]
        head = (head + 1) % count
        row, column, raise_ = _best(x[point], y[point], price) if point < len(x) else _cheapest(price)
        price[row, column] += raise_ + step
        beaten, owner[row, column] = owner[row, column], point
        waiting -= 1
        if beaten >= 0:
            queue[(head + waiting) % count] = beaten
            waiting += 1
    return True


@numba.njit(nogil=True, cache=True)
def _best(x: Any, y: Any, price: np.ndarray) -> tuple[int, int, float]:
    """Return the cheapest cell for a point, and by how much the next is dearer. No price is below 0."""
    height, width = price.shape
    near_row, near_column = min(max(round(y), 0), height - 1), min(max(round(x), 0), width - 1)
    reach = _REACH
    while True:
        low, high = max(0, near_row - reach), min(height, near_row + reach + 1)
        west, east = max(0, near_column - reach), min(width, near_column + reach + 1)
        least, second, best_row, best_column = np.inf, np.inf, low, west
        for row in range(low, high):
            for column in range(west, east):
                dear = (x - column) ** 2 + (y - row) ** 2 + price[row, column]
                if dear < least:
                    least, second, best_row, best_column = dear, least, row, column
                elif dear < second:
                    second = dear
        whole = low == 0 and west == 0 and high == height and east == width
        if whole or second <= (reach + 0.5) ** 2:
            return best_row, best_column, second - least if second < np.inf else 0.0
        # What is dearer than the second here is no use, however far away: the next look is the last.
        # (At least one cell further: the root may be rounded down to where this look ended.)
        reach = max(reach + 1, math.ceil(math.sqrt(second) - 0.5)) if second < np.inf else 2 * reach


@numba.njit(nogil=True, cache=True)
def _cheapest(price: np.ndarray) -> tuple[int, int, float]:
    """Do the same as `_best` where any cell will do."""
    least, second, best_row, best_column = np.inf, np.inf, 0, 0
    for row in range(price.shape[0]):
        for column in range(price.shape[1]):
            if price[row, column] < least:
                least, second, best_row, best_column = price[row, column], least, row, column
            elif price[row, column] < second:
                second = price[row, column]
    return best_row, best_column, second - least if second < np.inf else 0.0
