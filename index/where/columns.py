"""Columns as filters see them: what each can be compared with, and its values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa

from ..compute import pc
from .lexer import KEYWORDS


class ColumnKind(StrEnum):
    """What a column can be compared with; the value is the word used in messages."""

    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"
    TIME = "a date"
    LIST = "a list"
    OTHER = "neither a number, text, true/false nor a date"


@dataclass(frozen=True)
class ClassNames:
    """What the numbers of a model's classes are called. names: by number, none where the model has none.

    labels: gives the dataset's labels → number, for those that the model's classes are called differently.
    """

    names: tuple[str, ...] = ()
    labels: Callable[[], Mapping[str, int]] = dict

    def numbers(self, name: str) -> list[int]:
        """Return the classes of this name; or else that of this label."""
        found = [number for number, known in enumerate(self.names) if known == name]
        labels = {} if found else self.labels()
        return [labels[name]] if name in labels else found


@dataclass(frozen=True)
class Column:
    """A column, or the derived `correct`; `reads` are the columns of the table that it is made from.

    element: of a list, what its elements can be compared with. names: of a column of class numbers, what these are
    called; it is then read as text.
    """

    name: str
    kind: ColumnKind
    reads: tuple[str, ...]
    element: ColumnKind | None = None
    names: tuple[str, ...] | None = None

    @property
    def is_several(self) -> bool:
        """Whether it is a list that is called as its elements are: `label` where images have several labels."""
        return self.kind is ColumnKind.LIST and self.reads != (self.name,)

    @property
    def canonical(self) -> str:
        """The name as it is written in a filter."""
        if self.name.isidentifier() and self.name.lower() not in KEYWORDS:
            return self.name
        return "`" + self.name.replace("`", "``") + "`"

    def load(self, table: pa.Table) -> pa.ChunkedArray:
        """Return the column's values, decoded from dictionaries; `correct` is predicted = label_index."""
        if len(self.reads) == 2:
            predicted, index = (plain(table.column(name)) for name in self.reads)
            return pc.equal(pc.cast(predicted, pa.int64()), pc.cast(index, pa.int64()))
        values = plain(table.column(self.reads[0]))
        if self.names is None:
            return values
        known = pc.and_(pc.greater_equal(values, 0), pc.less(values, len(self.names)))
        places = pc.if_else(known, values, pa.scalar(None, values.type))
        return pc.take(pa.chunked_array([pa.array(self.names, pa.large_string())]), places)


def column_kind(kind: pa.DataType) -> ColumnKind:
    """Return what a column of this Arrow type can be compared with."""
    if pa.types.is_dictionary(kind):
        return column_kind(kind.value_type)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return ColumnKind.NUMBER
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return ColumnKind.TEXT
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return ColumnKind.BOOLEAN
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return ColumnKind.TIME
    return ColumnKind.OTHER if element_kind(kind) is None else ColumnKind.LIST


def element_kind(kind: pa.DataType) -> ColumnKind | None:
    """Return what the elements of a list of numbers, text or true/false can be compared with; None for other types."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    found = column_kind(kind.value_type) if is_list else None
    return found if found in (ColumnKind.NUMBER, ColumnKind.TEXT, ColumnKind.BOOLEAN) else None


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values decoded from dictionaries, text in one type, decimals as floats."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if pa.types.is_null(kind):
        return column.cast(pa.bool_())
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_string_view(kind) or pa.types.is_string(kind):
        return column.cast(pa.large_string())
    return column


def bools(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return (rows,) bool of true/false values, a null as false. The array is the caller's own."""
    if values.null_count:
        values = pc.and_kleene(values, pc.is_valid(values))  # as fill_null, which goes bit by bit
    return values.to_numpy(zero_copy_only=False)


def numbers(values: pa.ChunkedArray) -> np.ndarray:
    """Return (rows,) values with zeros for nulls, in the column's own dtype."""
    if values.null_count:
        values = pc.fill_null(values, pa.scalar(0).cast(values.type))
    return values.to_numpy()
