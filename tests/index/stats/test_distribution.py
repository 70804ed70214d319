"""Distributions of one unit's maxima against plain sorting and counting."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.index.stats.distribution import MOST_BINS, QUANTILES, Distribution, ranks, strongest_first

ODD = [0.0, -0.0, 1.0, -1.0, 0.25, float("inf"), float("-inf"), 1e-45, 3.4e38, -3.4e38]
NUMBERS = st.lists(st.sampled_from(ODD) | st.floats(-4, 4, width=32), max_size=70)
ANYTHING = st.lists(st.sampled_from([*ODD, float("nan")]) | st.floats(-4, 4, width=32), max_size=70)


def made(values):
    ids = np.arange(len(values)) * 3 + 5
    return Distribution.of(np.array(values, np.float32), ids), ids


def sorted_slowly(values):
    """Places, the largest first, NaN last, equal ones as they stand."""
    return sorted(range(len(values)), key=lambda place: (np.isnan(values[place]), -values[place], place))


@given(ANYTHING)
def test_the_order_is_that_of_sorting(values):
    narrow = np.array(values, np.float32)
    expected = sorted_slowly([0.0 if np.isnan(one) else float(one) for one in narrow])
    nan = np.isnan(narrow)
    expected = [place for place in expected if not nan[place]] + np.flatnonzero(nan).tolist()
    assert strongest_first(narrow).tolist() == expected
    found, ids = made(values)
    assert found.image_ids.tolist() == ids[expected].tolist()
    assert (found.numbers, found.finite) == (int((~nan).sum()), int(np.isfinite(narrow).sum()))
    assert not np.signbit(found.values[found.values == 0]).any()


@given(NUMBERS.filter(len), st.sampled_from(QUANTILES) | st.floats(0, 1))
def test_a_quantile_is_the_smallest_value_that_the_share_does_not_exceed(values, quantile):
    found, _ = made(values)
    narrow = np.array(values, np.float32)
    narrow = narrow[np.isfinite(narrow)]
    if not len(narrow):
        assert found.quantile(quantile) is None
        return
    wanted = Fraction(str(quantile)) * len(narrow)
    expected = min(value for value in narrow if (narrow <= value).sum() >= wanted)
    assert found.quantile(quantile) == expected


def test_decimal_quantiles_are_exact():
    """0.07 * 100 is 7.000000000000001 in floating point."""
    found, _ = made(range(100))
    assert [found.quantile(q) for q in (0.07, 0.29, 0.57, 0.58)] == [6.0, 28.0, 56.0, 57.0]


@given(st.integers(1, 40), st.floats(0, 1), st.integers(1, 12) | st.integers(1, 60))
def test_around_a_quantile_are_the_places_nearest_to_it(images, quantile, k):
    found, values = made(range(images))
    centre = found.place(quantile)
    near = sorted(range(len(values)), key=lambda place: (abs(place - centre), place))[:k]
    places = found.around(quantile, k)
    assert list(range(places.start, places.stop)) == sorted(near)
    assert centre in near


def test_nan_has_no_quantile():
    found, _ = made([float("nan"), 1, 2, float("nan")])
    assert [found.quantile(q) for q in (0, 0.5, 1)] == [1.0, 1.0, 2.0]
    assert found.around(0, 9) == slice(0, 2)
    nothing, _ = made([float("nan")])
    assert (nothing.quantile(0.5), nothing.around(0.5, 3)) == (None, slice(0, 0))


@settings(deadline=None)
@given(ANYTHING)
def test_a_histogram_counts_each_value_once(values):
    found, _ = made(values)
    histogram = found.histogram()
    finite = [float(np.float32(value)) for value in values if np.isfinite(np.float32(value))]
    assert histogram.counts.sum() == len(finite) == found.finite
    if not finite:
        assert len(histogram.edges) == 0
        return
    edges, bins = histogram.edges, len(histogram.counts)
    assert (edges[0], edges[-1], len(edges)) == (min(finite), max(finite), bins + 1)
    assert 1 <= bins <= MOST_BINS
    slow = [0] * bins
    for value in finite:
        inside = [i for i in range(bins) if edges[i] <= value < edges[i + 1]]
        slow[inside[0] if inside else bins - 1] += 1
    assert histogram.counts.tolist() == slow


@pytest.mark.parametrize("value", [0.0, -3.5, 7.25])
def test_a_constant_unit_has_one_bin(value):
    histogram = made([value] * 20)[0].histogram()
    assert (histogram.edges.tolist(), histogram.counts.tolist()) == ([value, value], [20])


def test_a_value_on_an_edge_lies_in_the_bin_above_it():
    """121 values from 0 to 11: eleven bins, whose edges are the values."""
    histogram = made([value for value in range(12) for _ in range(10)] + [11])[0].histogram()
    assert histogram.edges.tolist() == list(range(12))
    assert histogram.counts.tolist() == [10] * 10 + [21]


def test_bins_are_equally_wide():
    edges = made(np.random.default_rng(0).standard_normal(5000))[0].histogram().edges
    assert len(edges) == MOST_BINS + 1
    assert np.diff(edges) == pytest.approx((edges[-1] - edges[0]) / MOST_BINS)


@given(ANYTHING)
def test_ranks_count_what_is_larger(values):
    array = np.array(values, np.float64)
    expected = [0 if np.isnan(one) else 1 + sum(other > one for other in values) for one in values]
    assert ranks(array).tolist() == expected
