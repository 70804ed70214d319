"""Grids against a slow walk over every cell, and what an assignment must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from unitscope.index.projection.assignment import cost, improve, to_grid
from unitscope.index.projection.grid import assigned_grid, nearest_grid, split_grid


def slow_nearest(points, side):
    """Each cell by itself: who lies in it, and who is nearest its centre."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(high - low) or 1.0
    rows, density = np.full((side, side), -1), np.zeros((side, side), int)
    for number, point in enumerate(points):
        x, y = ((point - (low + high) / 2) / extent + 0.5) * side
        column, row = min(int(max(x, 0)), side - 1), min(int(max(y, 0)), side - 1)
        density[row, column] += 1
        gap = (x - column - 0.5) ** 2 + (y - row - 0.5) ** 2
        holder = rows[row, column]
        if holder >= 0:
            hx, hy = ((points[holder] - (low + high) / 2) / extent + 0.5) * side
            if (hx - column - 0.5) ** 2 + (hy - row - 0.5) ** 2 <= gap:
                continue
        rows[row, column] = number
    return rows, density


@pytest.mark.parametrize("side", [1, 2, 7])
@pytest.mark.parametrize("points", [1, 2, 150])
def test_nearest_grid_equals_a_slow_walk(points, side):
    coordinates = np.random.default_rng(points).normal(size=(points, 2)).astype(np.float32)
    coordinates[points // 2 :] = coordinates[: points - points // 2]  # equal points: the first stays
    rows, density = slow_nearest(coordinates.astype(np.float64), side)
    found = nearest_grid(coordinates, side)
    assert found.rows.tolist() == rows.tolist() and found.density.tolist() == density.tolist()


def test_the_orientation():
    corners = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    assert nearest_grid(corners, 2).rows.tolist() == [[0, 1], [2, -1]]
    rows, columns = assigned_grid(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32))
    assert (rows.tolist(), columns.tolist()) == ([0, 0, 1, 1], [0, 1, 0, 1])


def test_no_points():
    assert nearest_grid(np.empty((0, 2)), 3).rows.tolist() == [[-1] * 3] * 3
    assert [part.tolist() for part in assigned_grid(np.empty((0, 2)))] == [[], []]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=120))
def test_every_point_has_a_cell_of_its_own(points):
    coordinates = np.array(points, np.float32)
    rows, columns = assigned_grid(coordinates)
    width = int(np.ceil(np.sqrt(len(points))))
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(points)
    assert rows.min() >= 0 and columns.min() >= 0
    assert rows.max() < -(-len(points) // width) and columns.max() < width


@pytest.mark.parametrize("side", [4, 13])
def test_a_shuffled_grid_is_put_back(side):
    places = np.array([(x, y) for y in range(side) for x in range(side)], np.float32)
    order = np.random.default_rng(side).permutation(side * side)
    rows, columns = assigned_grid(places[order] * [3, 0.5])
    assert np.stack([columns, rows], axis=1).tolist() == places[order].tolist()


def test_halves_are_split_at_the_median():
    """The first cut parts left from right, whatever the density."""
    coordinates = np.random.default_rng(0).lognormal(size=(64 * 64, 2))
    rows, columns = split_grid(coordinates)
    assert coordinates[columns < 32, 0].max() <= coordinates[columns >= 32, 0].min()
    left = columns < 32
    assert coordinates[left & (rows < 32), 1].max() <= coordinates[left & (rows >= 32), 1].min()


def clusters(points, seed=0):
    random = np.random.default_rng(seed)
    centres, widths = random.uniform(-5, 5, (9, 2)), random.uniform(0.1, 1, (points, 1))
    return centres[random.integers(9, size=points)] + random.normal(size=(points, 2)) * widths


def exact_cost(coordinates):
    """By scipy, over every pair of a point and a cell."""
    width = int(np.ceil(np.sqrt(len(coordinates))))
    height = -(-len(coordinates) // width)
    points = to_grid(coordinates, height, width)
    row, column = np.divmod(np.arange(height * width), width)
    gaps = (points[:, :1] - column - 0.5) ** 2 + (points[:, 1:] - row - 0.5) ** 2
    return float(gaps[linear_sum_assignment(gaps)].sum()), points


@pytest.mark.parametrize("points", [1, 2, 7, 60, 64, 400, 1000, 1024])
@pytest.mark.parametrize("drawn", [clusters, lambda n: np.random.default_rng(n).random((n, 2))])
def test_the_cost_is_near_that_of_an_exact_assignment(points, drawn):
    coordinates = drawn(points)
    least, scaled = exact_cost(coordinates)
    found = cost(scaled, *assigned_grid(coordinates))
    assert least - 1e-6 <= found <= 1.05 * least + 1e-6


def test_a_window_is_solved_exactly():
    """64 points in 64 cells, and 50 in 64, are one window."""
    for points in (64, 50):
        scaled = np.random.default_rng(points).normal(size=(points, 2)) * 3 + 4
        cells = np.full(64, -1, np.int64)
        cells[np.random.default_rng(1).permutation(64)[:points]] = np.arange(points)
        row, column = np.divmod(np.arange(64), 8)
        gaps = (scaled[:, :1] - column - 0.5) ** 2 + (scaled[:, 1:] - row - 0.5) ** 2
        found = improve(scaled, cells.reshape(8, 8).copy())
        assert sorted(found[found >= 0].tolist()) == list(range(points))
        place = np.argsort(np.where(found.ravel() < 0, 999, found.ravel()))[:points]
        least = gaps[linear_sum_assignment(gaps)].sum()
        assert gaps[np.arange(points), place].sum() == pytest.approx(least)


def test_the_grid_is_the_same_for_any_number_of_threads():
    one, three = (np.stack(assigned_grid(clusters(5000), threads=threads)) for threads in (1, 3))
    assert (one == three).all()


@pytest.mark.parametrize(
    "coordinates",
    [
        np.zeros((5000, 2)),
        np.stack([np.linspace(0, 1, 5000), np.zeros(5000)], axis=1),
        np.stack([np.zeros(4097), np.linspace(0, 1, 4097) ** 3], axis=1),
        np.repeat(clusters(50), 100, axis=0),
    ],
    ids=["equal", "line", "other line", "heaps"],
)
def test_degenerate_maps_get_a_cell_for_each_point_too(coordinates):
    rows, columns = assigned_grid(coordinates.astype(np.float32))
    width = int(np.ceil(np.sqrt(len(coordinates))))
    assert len(np.unique(rows.astype(int) * width + columns)) == len(coordinates)
    assert columns.max() < width and rows.max() < -(-len(coordinates) // width)


@pytest.mark.parametrize("seed", range(40))
def test_points_on_halves_of_cells_come_to_an_end(seed):
    """Where a look around ends exactly at the second best, the next one goes further."""
    random = np.random.default_rng(seed)
    points = random.integers(0, 9, (int(random.integers(2, 80)), 2)) / 2
    rows, columns = assigned_grid(points.astype(np.float32))
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(points)
