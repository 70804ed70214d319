"""Boxes of many positions against `Frame.to_original`, one at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.common.frame import Frame
from unitscope.index.geometry import patches

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
