"""The algebra of the top-k: selecting and merging equal sorting everything, in any order and grouping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from unitscope.index.stats.topk import NO_IMAGE, TopK, merge

settings.register_profile("index", deadline=None)
settings.load_profile("index")

TIED = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 0.5, 0.5, 3.0, float("inf"), float("-inf")])


@st.composite
def datasets(draw, values=TIED):
    """values (images, units) float32 and positions (images, units) int32."""
    images, units = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    drawn = draw(npst.arrays(np.float32, (images, units), elements=values))
    return drawn, draw(npst.arrays(np.int32, (images, units), elements=st.integers(0, 48)))


def oracle(values, ids, positions, k):
    """Sorts everything, unit by unit. NaN last."""
    rows = []
    for unit in range(values.shape[1]):
        entries = [
            (np.isnan(value), -value, image, position, value)
            for value, image, position in zip(values[:, unit], ids, positions[:, unit], strict=True)
        ]
        entries.sort(key=lambda entry: (entry[0], 0 if entry[0] else entry[1], entry[2]))
        rows.append([(float(e[4]), int(e[2]), int(e[3])) for e in entries[:k]])
    return rows


def listed(top):
    return [
        [(float(v), int(i), int(p)) for v, i, p in zip(*row, strict=True)]
        for row in zip(top.values, top.image_ids, top.positions, strict=True)
    ]


def same(a, b):
    """Bit for bit; NaN equals NaN."""
    np.testing.assert_array_equal(a.values.view(np.uint32), b.values.view(np.uint32))
    np.testing.assert_array_equal(a.image_ids, b.image_ids)
    np.testing.assert_array_equal(a.positions, b.positions)


def subset(data, chosen, k):
    values, positions = data
    chosen = np.array(sorted(chosen), np.int64)
    return TopK.of(values[chosen], chosen, positions[chosen], k)


@given(datasets(), st.integers(1, 50))
def test_of_equals_sorting_everything(data, k):
    values, positions = data
    top = TopK.of(values, np.arange(len(values)), positions, k)
    assert listed(top) == oracle(values, np.arange(len(values)), positions, k)


@given(datasets(), st.data(), st.integers(1, 45))
def test_merge_is_associative_commutative_idempotent_and_equals_the_whole(data, draw, k):
    images = range(len(data[0]))
    some = st.sets(st.sampled_from(images))
    a, b, c = (subset(data, draw.draw(some), k) for _ in range(3))
    same(merge(a, b, k), merge(b, a, k))
    same(merge(merge(a, b, k), c, k), merge(a, merge(b, c, k), k))
    same(merge(a, a, k), a)
    same(merge(a, TopK.empty(data[0].shape[1]), k), a)
    first = draw.draw(some)
    same(merge(subset(data, first, k), subset(data, set(images) - first, k), k), subset(data, images, k))
    same(merge(subset(data, first, k), subset(data, images, k), k), subset(data, images, k))


@given(
    datasets(values=st.sampled_from([float("nan"), -1.0, 0.0, 2.0])), st.integers(1, 45), st.integers(0, 40)
)
def test_nan_stands_last_and_merges_alike(data, k, cut):
    values, positions = data
    ids = np.arange(len(values))
    top = TopK.of(values, ids, positions, k)
    np.testing.assert_equal(listed(top), oracle(values, ids, positions, k))
    same(merge(subset(data, ids[:cut], k), subset(data, ids[cut:], k), k), top)


@pytest.mark.parametrize(
    "kind", ["relu", "real", "dead", "sorted", "reversed", "constant", "one value", "infinite", "nan"]
)
def test_many_images_equal_sorting_everything(kind):
    """More images than the quick lower bound needs, so that it is used; but for the last k, where all are sorted."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((5000, 7)).astype(np.float32)
    if kind == "relu":
        values = np.maximum(np.round(values, 1), 0)
    elif kind == "dead":
        values = np.maximum(values - 3.3, 0)
    elif kind == "sorted":
        values.sort(axis=0)
    elif kind == "reversed":
        values = -np.sort(values, axis=0)
    elif kind == "constant":
        values[:] = -0.0
    elif kind == "one value":
        values = np.where(rng.random(values.shape) < 0.01, 1, -1).astype(np.float32)
    elif kind in ("infinite", "nan"):
        values[rng.random(values.shape) < 0.01] = np.inf
        values[rng.random(values.shape) < 0.01] = -np.inf
    if kind == "nan":
        values[rng.random(values.shape) < 0.01] = np.nan
        values[40:, 2] = np.nan
    ids = np.cumsum(rng.integers(1, 4, 5000))
    positions = rng.integers(0, 49, values.shape).astype(np.uint16)
    for k in (1, 9, 100, 400):
        got = listed(TopK.of(values, ids, positions, k))
        np.testing.assert_array_equal(np.array(got), np.array(oracle(values, ids, positions, k)))


def test_zeros_have_one_sign():
    top = TopK.of(np.array([[-0.0], [0.0]], np.float32), np.array([4, 7]), None, 2)
    assert top.image_ids.tolist() == [[4, 7]]
    assert not np.signbit(top.values).any()


def test_of_a_unit_does_not_depend_on_the_units_beside_it():
    values = np.random.default_rng(0).standard_normal((300_000, 3)).astype(np.float32)  # one unit a block
    whole = TopK.of(values, np.arange(len(values)), None, 10)
    assert listed(whole)[1] == listed(TopK.of(values[:, 1:2], np.arange(len(values)), None, 10))[0]


def test_rows_with_fewer_images_are_filled_with_empty_places():
    def one(value, image):
        return np.array(value, np.float32), np.array(image, np.int64)

    a_values, a_ids = one([[5, 4], [5, 4]], [[0, 1], [0, 1]])
    b_values, b_ids = one([[5], [3]], [[0], [2]])
    zeros = np.zeros((2, 2), np.int32)
    merged = merge(TopK(a_values, a_ids, zeros), TopK(b_values, b_ids, zeros[:, :1]), 5)
    assert merged.image_ids.tolist() == [[0, 1, NO_IMAGE], [0, 1, 2]]
    again = merge(merged, TopK(*one([[1], [1]], [[8], [9]]), zeros[:, :1]), 5)
    assert again.image_ids.tolist() == [[0, 1, 8, NO_IMAGE], [0, 1, 2, 9]]


def test_ids_that_do_not_ascend_are_refused():
    with pytest.raises(AssertionError, match="ascend"):
        TopK.of(np.zeros((2, 1), np.float32), np.array([1, 0]), None, 1)
