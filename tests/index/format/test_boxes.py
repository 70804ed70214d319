"""Boxes of many positions against `Frame.to_original`, one at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.common.frame import Frame
from unitscope.index.format.boxes import patches
from unitscope.index.format.layer_row import Branch

FRAMES = [
    Frame(None, None),
    Frame(32, (28, 28)),
    Frame((40, 30), None),
    Frame(20, (33, 27)),  # padded
    Frame(None, (24, 64)),
    Frame(256, (224, 224)),
]


@given(
    st.sampled_from(FRAMES),
    st.lists(st.tuples(st.integers(1, 700), st.integers(1, 700), st.integers(0, 29)), min_size=1, max_size=8),
    st.integers(-40, 10),
    st.tuples(st.integers(1, 60), st.integers(0, 59)),
)
@settings(deadline=None)
def test_boxes_and_views_equal_one_at_a_time(synthetic, frame, images, start, sizes):
    size, less = sizes
    view = max(1, size - less)
    layer = synthetic.layer_row(
        "l",
        "map",
        3,
        5,
        6,
        start_y=start,
        start_x=start + 3,
        rf_height=size,
        rf_width=size + 2,
        view_height=view,
        view_width=view,
    )
    widths, heights, flat = np.array(images).T
    got = patches(flat, layer, frame, widths, heights)
    for row, (width, height, position) in enumerate(images):
        y, x = divmod(position, 6)
        top, left = layer.start_y + y * layer.stride_y, layer.start_x + x * layer.stride_x
        field = (left, top, left + layer.rf_width, top + layer.rf_height)
        assert tuple(got.boxes[row]) == frame.to_original(field, width, height)
        top, left = top + (layer.rf_height - view) // 2, left + (layer.rf_width - view) // 2
        assert tuple(got.views[row]) == frame.to_original((left, top, left + view, top + view), width, height)
        assert (got.y[row], got.x[row]) == (y, x)
    assert got.boxes.dtype == got.views.dtype == np.int32


@pytest.mark.parametrize("frame", FRAMES)
def test_layers_without_positions_see_the_whole_input(synthetic, frame):
    layer = synthetic.layer_row("l", "vector", 3)
    height, width = frame.input_size(300, 200)
    expected = frame.to_original((0, 0, width, height), 300, 200)
    got = patches(np.array([0]), layer, frame, np.array([300]), np.array([200]))
    assert (tuple(got.boxes[0]), tuple(got.views[0])) == (expected, expected)


def test_no_positions_give_no_boxes(synthetic):
    none = np.zeros(0, np.int64)
    got = patches(none, synthetic.layer_row("l", "map", 3, 5, 6), FRAMES[1], none, none)
    assert got.boxes.shape == got.views.shape == (0, 4)


def test_views_at_given_places_and_of_branches(synthetic):
    """A view lies where the table of its axis says, inside the field; a unit's patch is what its own branch sees."""
    frame = Frame(None, None)
    nine = {"rf_height": 9, "rf_width": 9, "stride_y": 4, "stride_x": 4, "start_y": -2, "start_x": -2}
    local = {"local_rf_height": 9, "local_rf_width": 9}
    there = {"view_height": 5, "view_width": 4, "view_y0": (0, 3, 8), "view_x0": (-2, 1, 30)}
    small = Branch(1, 1, 4, 4, 2, 2, 1, 1, 1, 1, view_y0=(2, 6, 10), view_x0=(2, 6, 10), units=(0, 2))
    other = Branch(**nine, **local, **there, units=(1,))
    layer = synthetic.layer_row("l", "map", 3, 3, 3, **nine, **local, **there, branches=(small, other))
    sizes = np.full(4, 40), np.full(4, 40)
    positions = np.array([0, 4, 4, 8])
    got = patches(positions, layer, frame, *sizes, units=np.array([1, 1, 2, 1]))
    assert got.views.tolist() == [[0, 0, 2, 5], [2, 3, 5, 8], [6, 6, 7, 7], [14, 8, 15, 13]]
    assert got.boxes.tolist() == [[0, 0, 7, 7], [2, 2, 11, 11], [6, 6, 7, 7], [6, 6, 15, 15]]
    assert (patches(positions, layer, frame, *sizes).boxes[2] == [2, 2, 11, 11]).all()
    assert (layer.geometry_of(2), layer.geometry_of(1)) == (small, other)
