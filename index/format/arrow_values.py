"""Few values of an Arrow array as Python's own, read from its buffers: no scalar object is made on the way."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

_FORMATS = {
    pa.int8(): "b",
    pa.uint8(): "B",
    pa.int16(): "h",
    pa.uint16(): "H",
    pa.int32(): "i",
    pa.uint32(): "I",
    pa.int64(): "q",
    pa.uint64(): "Q",
    pa.float32(): "f",
    pa.float64(): "d",
}
_OFFSETS = {pa.string(): "i", pa.large_string(): "q"}

_FEW = 16
"""Values that are faster looked up one by one."""

At = Callable[[Sequence[int]], list[Any]]


def reader(array: pa.Array) -> At:
    """Return a function from places to the values there, as `array[place].as_py()` gives them; places are not checked,
    and a range has the step 1.

    Fast for numbers and strings; other types are read as scalars. The function keeps the array's memory.
    """
    read = _numbers(array) or _strings(array)
    if read is None:
        return lambda places: _scalars(array, places)
    if array.null_count == 0:
        return read
    there = _validity(array)
    return lambda places: [
        value if valid else None for value, valid in zip(read(places), there(places), strict=True)
    ]


def list_reader(array: pa.ListArray) -> Callable[[int, int | None], list[list[Any]]]:
    """Return a function from a place and a number to the first so many elements there (None: all), which are structs
    without nulls: the values of each field.
    """
    ends, fields = _view(array, 1, "i")[array.offset :], [reader(field) for field in array.values.flatten()]

    def first(place: int, count: int | None) -> list[list[Any]]:
        start, stop = ends[place], ends[place + 1]
        places = range(start, stop if count is None else min(stop, start + count))
        return [field(places) for field in fields]

    return first


def _numbers(array: pa.Array) -> At | None:
    form = _FORMATS.get(array.type)
    if form is None:
        return None
    values = _view(array, 1, form)[array.offset :]
    return lambda places: (
        values[places.start : places.stop].tolist()
        if isinstance(places, range)
        else [values[place] for place in places]
    )


def _strings(array: pa.Array) -> At | None:
    form = _OFFSETS.get(array.type)
    if form is None:
        return None
    ends, data = _view(array, 1, form)[array.offset :], _view(array, 2, "B")
    return lambda places: [str(data[ends[place] : ends[place + 1]], "utf-8") for place in places]


def _scalars(array: pa.Array, places: Sequence[int]) -> list[Any]:
    if len(places) > _FEW:
        return array.take(pa.array(places, pa.int64())).to_pylist()
    return [array[place].as_py() for place in places]


def _validity(array: pa.Array) -> At:
    """Return whether there is a value. https://arrow.apache.org/docs/format/Columnar.html#validity-bitmaps"""
    bits, first = _view(array, 0, "B"), array.offset
    return lambda places: [bits[(first + place) >> 3] >> ((first + place) & 7) & 1 for place in places]


def _view(array: pa.Array, number: int, form: str) -> memoryview:
    buffer = array.buffers()[number]
    view: Any = memoryview(b"" if buffer is None else buffer)
    return view.cast("B").cast(form)
