"""What a parsed filter is made of, and how each piece is answered over a table.

An answer is a pair of (rows,) bool arrays, `true` and `false`; a row in neither is unknown (null), as in
SQL's three-valued logic. Columns and literals have passed the parser's type check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from .filter_tokens import KEYWORDS, Literal

pc: Any = pyarrow.compute  # its functions are made at import, where no type checker sees them

Answer = tuple[np.ndarray, np.ndarray]


class ColumnKind(StrEnum):
    """What a column can be compared with; the value is the word used in messages."""

    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"
    TIME = "a date"
    OTHER = "neither a number, text, true/false nor a date"


@dataclass(frozen=True)
class Column:
    """A column, or the derived `correct`; `reads` are the columns of the table that it is made from."""

    name: str
    kind: ColumnKind
    reads: tuple[str, ...]

    @property
    def canonical(self) -> str:
        """The name as it is written in a filter."""
        if self.name.isidentifier() and self.name.lower() not in KEYWORDS:
            return self.name
        return "`" + self.name.replace("`", "``") + "`"

    def load(self, table: pa.Table) -> pa.ChunkedArray:
        """The column's values, decoded from dictionaries; `correct` is predicted = label_index."""
        if len(self.reads) == 2:
            predicted, index = (_plain(table.column(name)) for name in self.reads)
            return pc.equal(pc.cast(predicted, pa.int64()), pc.cast(index, pa.int64()))
        return _plain(table.column(self.reads[0]))


Operand = Column | Literal
Comparer = Callable[[Any, Any], Any]

COMPARISONS: dict[str, Comparer] = {
    "=": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_ARROW: dict[str, Comparer] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Constant:
    """`true` or `false` standing alone."""

    value: bool

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return "true" if self.value else "false"

    def answer(self, table: pa.Table) -> Answer:
        """The same for every row."""
        true = np.full(table.num_rows, self.value)
        return true, ~true


@dataclass(frozen=True)
class Truth:
    """A true/false column standing alone."""

    column: Column

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return self.column.canonical

    def answer(self, table: pa.Table) -> Answer:
        """The column itself."""
        return _answer(self.column.load(table))


@dataclass(frozen=True)
class IsNull:
    """`column is null`."""

    column: Column

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return f"{self.column.canonical} is null"

    def answer(self, table: pa.Table) -> Answer:
        """Never unknown."""
        null = _bools(pc.is_null(self.column.load(table)))
        return null, ~null


@dataclass(frozen=True)
class Compare:
    """`column operator operand`."""

    column: Column
    operator: str
    operand: Operand

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return f"{self.column.canonical} {self.operator} {canonical_operand(self.operand)}"

    def answer(self, table: pa.Table) -> Answer:
        """Unknown where a side is null."""
        values = self.column.load(table)
        other = self.operand.load(table) if isinstance(self.operand, Column) else self.operand
        if self.column.kind is not ColumnKind.NUMBER:
            if not isinstance(other, pa.ChunkedArray):
                other = pa.scalar(other).cast(values.type)
            return _answer(_ARROW[self.operator](values, other))
        left, known = _numbers(values)
        if isinstance(other, pa.ChunkedArray):
            right, right_known = _numbers(other)
            known = known & right_known
        else:
            assert isinstance(other, int | float)
            right = _at_precision(other, left.dtype)
        true = COMPARISONS[self.operator](left, right)
        return true & known, ~true & known


@dataclass(frozen=True)
class Among:
    """`column in (…)`; the values are distinct and sorted."""

    column: Column
    values: tuple[Literal, ...]

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return f"{self.column.canonical} in ({', '.join(map(canonical_operand, self.values))})"

    def answer(self, table: pa.Table) -> Answer:
        """Unknown where the column is null."""
        values = self.column.load(table)
        if self.column.kind is ColumnKind.NUMBER:
            numbers, known = _numbers(values)
            true = np.zeros(len(numbers), bool)
            for group in _by_dtype(self.values, numbers.dtype):
                true |= np.isin(numbers, group)
        else:
            known = _bools(pc.is_valid(values))
            true = _bools(pc.is_in(values, value_set=pa.array(list(self.values)).cast(values.type)))
        return true & known, ~true & known


@dataclass(frozen=True)
class Not:
    """`not (…)`: unknown stays unknown."""

    node: "Node"

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return f"not ({self.node.canonical})"

    def answer(self, table: pa.Table) -> Answer:
        """True and false change places."""
        true, false = self.node.answer(table)
        return false, true


@dataclass(frozen=True)
class Join:
    """`… and …` or `… or …`, of two or more nodes."""

    word: str
    nodes: tuple["Node", ...]

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        parts = (f"({node.canonical})" if isinstance(node, Join) else node.canonical for node in self.nodes)
        return f" {self.word} ".join(parts)

    def answer(self, table: pa.Table) -> Answer:
        """Kleene's and / or."""
        true, false = self.nodes[0].answer(table)
        for node in self.nodes[1:]:
            more_true, more_false = node.answer(table)
            if self.word == "and":
                true, false = true & more_true, false | more_false
            else:
                true, false = true | more_true, false & more_false
        return true, false


Node = Constant | Truth | IsNull | Compare | Among | Not | Join


def column_kind(kind: pa.DataType) -> ColumnKind:
    """What a column of this Arrow type can be compared with."""
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
    return ColumnKind.OTHER


def canonical_operand(operand: Operand) -> str:
    """An operand as it is written in a filter."""
    if isinstance(operand, Column):
        return operand.canonical
    if isinstance(operand, bool):
        return "true" if operand else "false"
    if isinstance(operand, str):
        return "'" + operand.replace("'", "''") + "'"
    return repr(operand)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
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


def _bools(values: pa.ChunkedArray) -> np.ndarray:
    return values.to_numpy().astype(bool, copy=False)


def _answer(values: pa.ChunkedArray) -> Answer:
    known = _bools(pc.is_valid(values))
    true = _bools(pc.fill_null(values, False))
    return true, ~true & known


def _numbers(values: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Values with zeros for nulls, in the column's own dtype, and where they are known."""
    known = _bools(pc.is_valid(values))
    zero = pa.scalar(0).cast(values.type)
    return pc.fill_null(values, zero).to_numpy(), known


def _at_precision(number: int | float, dtype: np.dtype[Any]) -> Any:
    """A literal at the precision of a float column, so that `probability = 0.9` finds float32 0.9.

    Integers compare exactly with integer columns; what a narrow float cannot hold is compared in float64.
    """
    if dtype.kind != "f":
        return number
    with np.errstate(over="ignore"):
        narrow = dtype.type(number)
    return narrow if np.isfinite(narrow) else np.float64(number)


def _by_dtype(values: tuple[Literal, ...], dtype: np.dtype[Any]) -> list[np.ndarray]:
    """The literals that a column of this dtype can hold, at its precision."""
    if dtype.kind == "f":
        return [np.array([_at_precision(number, dtype) for number in values if not isinstance(number, str)])]
    limits = np.iinfo(dtype)
    whole = [value for value in values if isinstance(value, int) and limits.min <= value <= limits.max]
    return [np.array(whole, dtype)] if whole else []
