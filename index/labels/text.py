"""Turns the labels of a Parquet column into text: names of a ClassLabel, numbers, whatever else can be written."""

from collections import Counter
from collections.abc import Callable

import pyarrow as pa

from ...common.errors import DatasetError
from ..compute import pc

NOT_FINITE = "labels that are NaN or infinite: their images have no label"


def plain_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, dictionaries decoded."""
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values


def label_text(
    values: pa.Array, names: tuple[str, ...] | None, dropped: Counter[str], where: Callable[[int], str]
) -> pa.Array:
    """Return labels as text: by the names of their ClassLabel, whole numbers without a decimal point.

    dropped: counts the labels that are not finite numbers, which become null. where: names a row.
    raises: DatasetError for an index beyond the names.
    """
    values = values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values
    if pa.types.is_floating(values.type):
        finite = pc.is_finite(values)
        dropped[NOT_FINITE] += len(values) - values.null_count - (pc.sum(finite).as_py() or 0)
        values = pc.if_else(finite, values, pa.scalar(None, values.type)).cast(pa.float64())
        whole = pc.and_(pc.equal(values, pc.round(values)), pc.less(pc.abs(values), 2.0**53))
        integers = pc.if_else(whole, values, pa.scalar(None, pa.float64())).cast(pa.int64())
        return pc.coalesce(integers.cast(pa.string()), values.cast(pa.string()))
    if names is None or not pa.types.is_integer(values.type):
        return values.cast(pa.string())
    highest = pc.max(values).as_py()
    if highest is not None and highest >= len(names):
        row = values.index(pa.scalar(highest, values.type)).as_py()
        raise DatasetError(
            f"{where(row)}: label {highest} is beyond the {len(names)} names of the ClassLabel. "
            "Fix the labels, or the names in the schema."
        )
    known = pc.if_else(pc.greater_equal(values, 0), values, pa.scalar(None, values.type))
    return pc.take(pa.array(names, pa.string()), known)  # -1 means "no label" there
