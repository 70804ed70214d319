"""UMAP's layout by several threads, the same for any number of them.

umap-learn's own is reproducible in one thread only. Here each image is moved by its own edges and its own random
images alone, in turns: those of one turn see each other where they were before it, and all others where they are.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numba
import numpy as np

_TURNS = 8
"""More make the map no better; with a single one it is worse by 0.002 of trustworthiness."""
_RANDOM_IMAGES = 5  # that push, for each neighbour that pulls: umap-learn's own number
_WIDTH = 10.0  # of the map that the layout starts from: umap-learn's own
_ROWS_A_TASK = 2048
_FARTHEST = np.float32(4)
"""No single force moves an image farther: umap-learn's own bound."""
_NOT_ZERO = np.float32(1e-12)


def lay_out_neighbours(
    weights: Any,
    start: np.ndarray,
    a: float,
    b: float,
    *,
    epochs: int,
    seed: int,
    threads: int = 1,
    done: Callable[[int], object] = lambda epochs: None,
) -> np.ndarray:
    """Return (n, 2) float32: stochastic gradient descent from `start` (n, 2), stretched to 10 by 10.

    weights: (n, n) scipy sparse, symmetric, of the fuzzy simplicial set. a, b: of the curve 1 / (1 + a d^2b) that
    distances on the map follow. done: told of each epoch. Source: McInnes, Healy & Melville 2018, algorithm 5, with
    the rates of umap-learn; there a pull moves both ends of an edge, here its own end twice as far.
    """
    edges = weights.tocsr(copy=True)
    edges.sum_duplicates()
    edges.data[edges.data < edges.data.max(initial=0) / epochs] = 0
    edges.eliminate_zeros()
    period = (edges.data.max(initial=0) / edges.data).astype(np.float32)
    corner, reach = start.min(axis=0), np.ptp(start, axis=0)
    places = (_WIDTH * (start - corner) / reach).astype(np.float32)
    moved, due = places.copy(), period.copy()
    curve = np.array([a, b], np.float32)
    with ThreadPoolExecutor(threads) as pool:
        for epoch in range(epochs):
            step, random = np.float32(1 - epoch / epochs), _mixed(np.uint32(seed ^ _mixed(np.uint32(epoch))))
            move = partial(
                _move, places, moved, edges.indptr, edges.indices, period, due, curve, step, epoch, random
            )
            for turn in range(_TURNS):
                _run(pool, move, turn, len(places))
                places[turn::_TURNS] = moved[turn::_TURNS]
            done(1)
    return places


def _run(pool: ThreadPoolExecutor, move: Callable[[int, int], None], turn: int, images: int) -> None:
    """Move every image of a turn, in tasks that are worth a thread's while."""
    rows = -(-(images - turn) // _TURNS)
    cuts = (np.linspace(0, rows, max(1, rows // _ROWS_A_TASK) + 1).astype(int) * _TURNS + turn).tolist()
    if len(cuts) == 2:
        move(*cuts)
    else:
        list(pool.map(move, cuts[:-1], cuts[1:]))


@numba.njit(inline="always")
def _mixed(number: np.uint32) -> np.uint32:
    """Return a number that looks random, from any: Wellons, "Hash prospector" (2018), `lowbias32`."""
    number = np.uint32(number ^ (number >> np.uint32(16)))
    number = np.uint32(number * np.uint32(0x7FEB352D))
    number = np.uint32(number ^ (number >> np.uint32(15)))
    number = np.uint32(number * np.uint32(0x846CA68B))
    return np.uint32(number ^ (number >> np.uint32(16)))


@numba.njit(inline="always", fastmath=True)
def _bounded(force: np.float32) -> np.float32:
    return min(max(force, -_FARTHEST), _FARTHEST)


@numba.njit(nogil=True, cache=True, fastmath=True)
def _move(  # noqa: PLR0917 - numba takes no keywords
    places: np.ndarray,
    moved: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    period: np.ndarray,
    due: np.ndarray,
    curve: np.ndarray,
    step: np.float32,
    epoch: int,
    random: np.uint32,
    first: int,
    stop: int,
) -> None:
    """Move the images `first`, `first` + _TURNS, … below `stop`, by their edges that are due.

    starts, ends: the edges, as CSR. period: epochs between two turns of an edge; due: the epoch of its next, changed
    here. An edge's pull and its random images' pushes are all of where the image is before them.
    """
    a, b = curve
    images = np.uint64(len(places))
    for image in range(first, min(stop, len(places)), _TURNS):
        x, y = places[image]
        number = _mixed(random ^ np.uint32(image))
        for edge in range(starts[image], starts[image + 1]):
            if due[edge] > epoch:
                continue
            due[edge] += period[edge]
            dx, dy = x - places[ends[edge], 0], y - places[ends[edge], 1]
            gap = dx * dx + dy * dy + _NOT_ZERO
            power = gap**b
            pull = np.float32(-2) * a * b * power / (gap * (a * power + np.float32(1)))
            right, down = np.float32(2) * _bounded(pull * dx), np.float32(2) * _bounded(pull * dy)
            for _ in range(_RANDOM_IMAGES):
                number += np.uint32(1)
                other = np.int64((np.uint64(_mixed(number)) * images) >> np.uint64(32))
                dx, dy = x - places[other, 0], y - places[other, 1]
                gap = dx * dx + dy * dy + _NOT_ZERO
                push = np.float32(2) * b / ((np.float32(0.001) + gap) * (a * gap**b + np.float32(1)))
                right += _bounded(push * dx)
                down += _bounded(push * dy)
            x += step * right
            y += step * down
        moved[image, 0], moved[image, 1] = x, y
