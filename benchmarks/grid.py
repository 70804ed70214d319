"""Measures the assigned grid: its cost against an exact assignment, and how its time grows.

    python -P benchmarks/grid.py [--sizes 10000 100000 1000000] [--threads 2]

At 4,096 cells it is compared with `scipy.optimize.linear_sum_assignment` over every pair of a point and a cell, by the
same cost: the squared distance from each point, scaled to the grid, to its cell's centre. Every size is run on a made
map of clusters and on evenly spread points. Numba compiles before anything is timed; how long that takes is told.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import linear_sum_assignment
from unitscope.index.projection.assignment import cost, to_grid
from unitscope.index.projection.grid import assigned_grid, split_grid

EXACT = 4096


def clusters(points: int, seed: int = 0) -> np.ndarray:
    """Return (points, 2) float32: a hundred heaps of unequal size and density, as UMAP draws them."""
    random = np.random.default_rng(seed)
    centres, widths = random.uniform(-10, 10, (100, 2)), random.uniform(0.1, 1, 100)
    which = random.choice(100, points, p=random.dirichlet(np.ones(100)))
    return (centres[which] + random.normal(size=(points, 2)) * widths[which, None]).astype(np.float32)


def even(points: int, seed: int = 0) -> np.ndarray:
    """Return (points, 2) float32 in the unit square."""
    return np.random.default_rng(seed).random((points, 2)).astype(np.float32)


MAPS: dict[str, Callable[[int], np.ndarray]] = {"clusters": clusters, "evenly spread": even}


def against_exact(name: str, threads: int) -> None:
    """Return one row: the cost of the splits, of the grid and of the exact assignment."""
    coordinates = MAPS[name](EXACT)
    side = round(EXACT**0.5)
    points = to_grid(coordinates, side, side)
    row, column = np.divmod(np.arange(EXACT), side)
    gaps = (points[:, :1] - column - 0.5) ** 2 + (points[:, 1:] - row - 0.5) ** 2
    least, exact_seconds = _timed(lambda: float(gaps[linear_sum_assignment(gaps)].sum()))
    found, seconds = _timed(lambda: assigned_grid(coordinates, threads=threads))
    splits = cost(points, *split_grid(coordinates)) / least
    print(
        f"| {name} | {exact_seconds:.2f} | {seconds:.3f} | {exact_seconds / seconds:.0f} | {splits:.4f} "
        f"| {cost(points, *found) / least:.4f} |",
        flush=True,
    )


def _timed(action: Callable[[], object]) -> tuple[object, float]:
    begin = time.perf_counter()
    return action(), time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    _, seconds = _timed(lambda: assigned_grid(even(100)))
    print(f"compiling or loading: {seconds:.1f} s\n")
    print("| map of 4,096 | exact, s | grid, s | times as fast | cost of the splits | cost of the grid |")
    print("|---|---|---|---|---|---|")
    for name in MAPS:
        against_exact(name, options.threads)
    print("\n| map | points | s | s of a core | s of a core ÷ (n log2 n), 1e-6 |")
    print("|---|---|---|---|---|")
    for name, make in MAPS.items():
        for size in options.sizes:
            coordinates = make(size)
            before = time.process_time()
            _, seconds = _timed(partial(assigned_grid, coordinates, threads=options.threads))
            own = time.process_time() - before
            print(
                f"| {name} | {size:,} | {seconds:.2f} | {own:.2f} | {own / (size * np.log2(size)) * 1e6:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
