"""Statistics against numpy in float64, and their merging."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from unitscope.index.stats.moments import Statistics, merge

FIELDS = ("means", "squares", "minima", "maxima", "active")


def equal(a, b):
    assert a.images == b.images
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def expect(statistics, values):
    values = values.astype(np.float64)
    np.testing.assert_allclose(statistics.means, values.mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(statistics.std, values.std(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(statistics.minima, values.min(0))
    np.testing.assert_array_equal(statistics.maxima, values.max(0))
    np.testing.assert_array_equal(statistics.active_share, (values > 0).mean(0))


@given(
    npst.arrays(np.float32, (30, 3), elements=st.floats(-1000, 1000, width=32)),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_merge_equals_the_whole(values, cut, other):
    first, second = sorted((cut, other))
    pieces = [
        Statistics.of(values[rows]) for rows in (slice(first), slice(first, second), slice(second, None))
    ]
    merged = Statistics.empty(3)
    for piece in pieces:
        merged = merge(merged, piece)
    assert merged.images == 30
    expect(merged, values)
    right = merge(pieces[0], merge(pieces[1], pieces[2]))
    np.testing.assert_allclose(merged.squares, right.squares, rtol=1e-9, atol=1e-9)


def test_std_survives_a_mean_far_from_zero():
    """Sums of squares would lose all digits here in float32, and half of them in float64."""
    values = (np.random.default_rng(0).standard_normal((4000, 2)) + 3e6).astype(np.float32)
    halves = merge(Statistics.of(values[:1234]), Statistics.of(values[1234:]))
    np.testing.assert_allclose(halves.std, values.astype(np.float64).std(0), rtol=1e-10)


def test_constant_unit_has_no_spread():
    assert Statistics.of(np.full((1000, 1), 0.1, np.float32)).std[0] < 1e-15


@pytest.mark.parametrize("images", [1, 7, 4096, 200_000])
def test_a_unit_does_not_depend_on_the_units_beside_it(images):
    values = np.random.default_rng(0).standard_normal((images, 9)).astype(np.float32)
    whole = Statistics.of(values)
    for unit in (0, 3, 8):
        alone = Statistics.of(values[:, unit : unit + 1])
        for name in FIELDS:
            assert getattr(whole, name)[unit] == getattr(alone, name)[0]


def test_no_images_are_neutral():
    some = Statistics.of(np.ones((3, 2), np.float32))
    equal(merge(some, Statistics.empty(2)), some)
    equal(merge(Statistics.empty(2), some), some)


@pytest.mark.parametrize("odd", [(np.nan,), (np.inf,), (-np.inf,), (np.nan, np.inf, -np.inf)])
@pytest.mark.parametrize("cuts", [(), (10,), (1, 2, 3), (5, 25)])
def test_statistics_are_over_the_finite_values(odd, cuts):
    """Whatever is not finite is counted, and counts for nothing else, in whichever piece it is."""
    rng = np.random.default_rng(1)
    values = (rng.standard_normal((30, 5)) * 3 - 1).astype(np.float32)
    values[rng.random((30, 5)) < 0.3] = rng.choice(odd)
    values[:, 0], values[:, 1], values[:9, 2] = 2, odd[-1], odd[0]
    merged = Statistics.empty(5)
    for rows in np.split(values, cuts):
        merged = merge(merged, Statistics.of(rows))
    for unit, column in enumerate(values.T):
        known = column[np.isfinite(column)].astype(np.float64)
        assert merged.finite[unit] == len(known)
        assert merged.nonfinite[unit] == 30 - len(known)
        if not len(known):
            continue
        assert merged.means[unit] == pytest.approx(known.mean(), rel=1e-12)
        assert merged.std[unit] == pytest.approx(known.std(), rel=1e-9, abs=1e-12)
        assert (merged.minima[unit], merged.maxima[unit]) == (known.min(), known.max())
        assert merged.active_share[unit] == pytest.approx((known > 0).mean())


def test_finite_values_are_measured_as_if_nothing_else_was_there():
    values = np.random.default_rng(2).standard_normal((700, 4)).astype(np.float32)
    with_holes = np.vstack([values, np.full((9, 4), np.nan, np.float32)])
    alone, among = Statistics.of(values), Statistics.of(with_holes)
    for name in (*FIELDS, "finite"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(among, name))
