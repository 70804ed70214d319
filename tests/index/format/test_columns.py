"""Single columns by row, through parts and row groups; the bounded cache; the quick transpose."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.common.errors import StoreDamagedError
from unitscope.index.caching.cache import ByteCache
from unitscope.index.caching.cached_only import NotCachedError, cached_only
from unitscope.index.format.columns import Columns
from unitscope.index.format.parquet_cache import FileCache
from unitscope.index.merge.transpose import transpose_into
from unitscope.index.storage.folder import Folder

PARTS = [25, 10, 7]
GROUP = 10
VALUES = np.random.default_rng(0).integers(0, 1000, sum(PARTS))


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    root = tmp_path_factory.mktemp("columns")
    first = 0
    for number, rows in enumerate(PARTS):
        table = pa.table({"a": VALUES[first : first + rows], "row": range(first, first + rows)})
        pq.write_table(table, root / f"part-{number}.parquet", row_group_size=GROUP)
        first += rows
    cache = FileCache(Folder(str(root)), footer_bytes=2**20, column_bytes=300)  # one column at a time
    return Columns(cache, [f"part-{number}.parquet" for number in range(3)], PARTS)


@given(st.lists(st.integers(0, sum(PARTS) - 1)))
def test_take(columns, rows):
    assert columns.take("a", np.array(rows, np.int64)).to_pylist() == VALUES[rows].tolist()


@given(st.lists(st.integers(0, sum(PARTS) - 1), max_size=60))
def test_values_of_several_columns(columns, rows):
    """Few rows of a row group are looked up one by one, many at once: lists of both lengths, with repetitions."""
    assert columns.values_at(["row", "a"], np.array(rows, np.int64)) == [rows, VALUES[rows].tolist()]


def test_a_whole_column(columns):
    assert columns.whole("a").to_pylist() == VALUES.tolist()
    assert columns.whole("row").to_pylist() == list(range(sum(PARTS)))


@pytest.mark.parametrize(("limit", "held"), [(1 << 20, True), (1500, False)])
def test_columns_that_are_read_ahead_are_cached_where_they_fit(columns, limit, held):
    cache = FileCache(columns._cache.folder, footer_bytes=2**20, column_bytes=limit)
    ahead = Columns(cache, [f"part-{number}.parquet" for number in range(3)], PARTS)
    rows = [41, 0, 24, 25, 25]
    assert cached_values(ahead, rows) is None
    ahead.hold(["row", "a"])
    assert cached_values(ahead, rows) == ([rows, VALUES[rows].tolist()] if held else None)
    assert ahead.values_at(["a"], rows) == [VALUES[rows].tolist()]
    assert cached_values(ahead, []) == [[], []]


def cached_values(columns, rows):
    """What is in memory of the columns; None where something would have to be read."""
    try:
        with cached_only():
            return columns.values_at(["row", "a"], rows)
    except NotCachedError:
        return None


def test_groups_and_places(columns):
    groups = list(columns.groups())
    assert [(group.first, group.rows) for group in groups] == [(0, 10), (10, 10), (20, 5), (25, 10), (35, 7)]
    for row in range(columns.rows):
        group = columns.group_of(row)
        assert group.first <= row < group.first + group.rows
        assert columns.read(group, ["row"])["row"][row - group.first].as_py() == row
    assert [columns.locate(row) for row in (0, 24, 25, 41)] == [(0, 0), (0, 24), (1, 0), (2, 6)]


def test_other_rows_than_said_are_damage(columns):
    other = Columns(columns._cache, ["part-0.parquet"], [24])
    with pytest.raises(StoreDamagedError, match=r"part-0\.parquet has 25 rows"):
        list(other.groups())


def test_cache_keeps_what_was_used_last_within_its_bytes():
    made = []

    def get(key, size=4):
        return cache.get(key, lambda: made.append(key) or key * 2, lambda value: size)

    cache = ByteCache(10)
    assert [get("a"), get("b"), get("a"), get("c"), get("a")] == ["aa", "bb", "aa", "cc", "aa"]
    assert made == ["a", "b", "c"]
    get("b")  # was dropped for c, and drops it
    get("a")
    assert made == ["a", "b", "c", "b"]
    get("large", 11)
    get("large", 11)
    get("a")
    assert made == ["a", "b", "c", "b", "large", "large"]


@given(
    st.sampled_from([np.float32, np.float16, np.uint16, np.uint32]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
)
def test_transpose(dtype, images, units, sliced):
    rows = np.random.default_rng(0).integers(0, 1000, (images + 3, units)).astype(dtype)
    rows = rows[3:] if sliced else rows[:images]
    wide = np.zeros((units, images + 5), dtype)
    transpose_into(wide[:, 2 : 2 + images], rows)
    np.testing.assert_array_equal(wide[:, 2 : 2 + images], rows.T)
    assert not wide[:, :2].any()
    assert not wide[:, 2 + images :].any()
