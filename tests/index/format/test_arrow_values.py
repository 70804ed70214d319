"""Values from Arrow's buffers against Arrow's own scalars: every type, nulls, slices."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.index.format.arrow_values import list_reader, reader

WHOLE = st.integers(-100, 100)
ARRAYS = {
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), WHOLE),
    **{kind: st.integers(0, 200) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
    **{kind: st.floats(width=32, allow_nan=False) for kind in (pa.float32(), pa.float64())},
    **{kind: st.text() for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))},
    pa.bool_(): st.booleans(),
    pa.list_(pa.int32()): st.lists(WHOLE),
    pa.timestamp("us"): st.datetimes(),
    pa.null(): st.none(),
}


@pytest.mark.parametrize("kind", ARRAYS, ids=str)
@given(data=st.data())
def test_as_scalars_give_them(kind, data):
    values = data.draw(st.lists(st.none() | ARRAYS[kind], min_size=1, max_size=40))
    start = data.draw(st.integers(0, len(values) - 1))
    array = pa.array(values, kind)[start:]
    places = data.draw(st.lists(st.integers(0, len(array) - 1), max_size=60))
    assert reader(array)(places) == [array[place].as_py() for place in places]


@given(st.lists(st.lists(st.tuples(WHOLE, st.text())), min_size=1), st.data())
def test_the_first_of_a_list_of_structs(lists, data):
    kind = pa.list_(pa.struct([("number", pa.int32()), ("text", pa.string())]))
    whole = pa.array([[{"number": n, "text": t} for n, t in one] for one in lists], kind)
    start = data.draw(st.integers(0, len(lists) - 1))
    for place, one in enumerate(lists[start:]):
        for count in (None, 0, 1, 3, len(one)):
            some = one[:count]
            assert list_reader(whole[start:])(place, count) == [[n for n, _ in some], [t for _, t in some]]


def test_the_memory_outlives_the_array():
    read = reader(pa.array(range(1000), pa.int64()))
    assert read([0, 999]) == [0, 999]
