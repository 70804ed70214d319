"""Charts as numbers: what a bar is high and wide."""

import pytest
from unitscope.service.pages.rendering.charts import HEIGHT, WIDTH, bars, class_bars


def test_a_histogram_s_bars():
    drawn = bars([-1.0, 0.0, 1.0, 2.0, 3.0], [4, 100, 0, 1])
    assert [bar.images for bar in drawn.bars] == [4, 100, 0, 1]
    assert [bar.height for bar in drawn.bars] == [HEIGHT / 5, HEIGHT, 0, HEIGHT / 10]
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in drawn.bars)
    assert drawn.zero == WIDTH / 4
    assert bars([2.0, 2.0], [7]).zero is None
    assert bars([0.0, 1.0], [0]).bars[0].height == 0


def test_bars_of_classes():
    assert class_bars([2.0, 1.0, None]) == [(0, 100), (0, 50), (0, 0)]
    assert class_bars([1.0, -1.0]) == [(50, 50), (0, 50)]
    assert class_bars([0.0, 0.0]) == [(0, 0), (0, 0)]
    assert class_bars([]) == []
