"""Grids against a slow walk over every cell, and what an assignment must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.index.grid import assigned_grid, nearest_grid


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
    rows, columns = assigned_grid(coordinates)
    assert coordinates[columns < 32, 0].max() <= coordinates[columns >= 32, 0].min()
    left = columns < 32
    assert coordinates[left & (rows < 32), 1].max() <= coordinates[left & (rows >= 32), 1].min()
