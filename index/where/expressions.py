"""The nodes of a parsed filter, and the answer of each over a table.

An answer is a (rows,) Arrow array of booleans, null where it is unknown: Arrow's Kleene kernels are SQL's three-valued
logic. Columns and literals have passed the parser's type check.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from ..compute import pc
from .columns import Column, ColumnKind, bools, numbers, plain
from .lexer import Literal
from .numbers import among, compare
from .times import compare_time, compare_times, nanoseconds

Answer: TypeAlias = pa.Array | pa.ChunkedArray
Operand = Column | Literal

_ARROW: dict[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
OPERATORS = tuple(_ARROW)
MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KLEENE: dict[str, Callable[[Any, Any], Any]] = {"and": pc.and_kleene, "or": pc.or_kleene}


class Node(ABC):
    """A condition, or several joined."""

    @property
    @abstractmethod
    def canonical(self) -> str:
        """The node as it is written in a filter: it means the same."""

    @abstractmethod
    def answer(self, table: pa.Table) -> Answer:
        """Return where it is true, false or unknown."""


@dataclass(frozen=True)
class Constant(Node):
    """`true` or `false` standing alone."""

    value: bool

    @property
    def canonical(self) -> str:
        return canonical_operand(self.value)

    def answer(self, table: pa.Table) -> Answer:
        return pa.array(np.full(table.num_rows, self.value))


@dataclass(frozen=True)
class Truth(Node):
    """A true/false column standing alone."""

    column: Column

    @property
    def canonical(self) -> str:
        return self.column.canonical

    def answer(self, table: pa.Table) -> Answer:
        return self.column.load(table)


@dataclass(frozen=True)
class IsNull(Node):
    """`column is null`: never unknown."""

    column: Column

    @property
    def canonical(self) -> str:
        return f"{self.column.canonical} is null"

    def answer(self, table: pa.Table) -> Answer:
        return pc.is_null(self.column.load(table))


@dataclass(frozen=True)
class IsNan(Node):
    """`column is nan`: unknown where the column is null."""

    column: Column

    @property
    def canonical(self) -> str:
        return f"{self.column.canonical} is nan"

    def answer(self, table: pa.Table) -> Answer:
        values = self.column.load(table)
        return unknown_where_null(np.isnan(numbers(values)), values)


@dataclass(frozen=True)
class Compare(Node):
    """`column operator operand`: unknown where a side is null."""

    column: Column
    operator: str
    operand: Operand

    @property
    def canonical(self) -> str:
        return f"{self.column.canonical} {self.operator} {canonical_operand(self.operand)}"

    def answer(self, table: pa.Table) -> Answer:
        values = self.column.load(table)
        other: Any = self.operand.load(table) if isinstance(self.operand, Column) else self.operand
        sides = [side for side in (values, other) if isinstance(side, pa.ChunkedArray)]
        if self.column.kind is ColumnKind.NUMBER:
            right = numbers(other) if isinstance(other, pa.ChunkedArray) else other
            return unknown_where_null(compare(numbers(values), self.operator, right), *sides)
        if self.column.kind is ColumnKind.TIME:
            made = compare_times if isinstance(other, pa.ChunkedArray) else compare_time
            return unknown_where_null(made(values, self.operator, other), *sides)
        if not isinstance(other, pa.ChunkedArray):
            other = pa.scalar(other).cast(values.type)
        return _ARROW[self.operator](values, other)


@dataclass(frozen=True)
class Among(Node):
    """`column in (…)`: unknown where the column is null. The values are distinct and sorted."""

    column: Column
    values: tuple[Literal, ...]

    @property
    def canonical(self) -> str:
        return f"{self.column.canonical} in ({', '.join(map(canonical_operand, self.values))})"

    def answer(self, table: pa.Table) -> Answer:
        values = self.column.load(table)
        if self.column.kind is ColumnKind.NUMBER:
            literals = [value for value in self.values if not isinstance(value, str)]
            true = among(numbers(values), literals)
        elif self.column.kind is ColumnKind.TIME:
            true = np.zeros(len(values), bool)
            for text in {nanoseconds(str(value), values.type): str(value) for value in self.values}.values():
                true |= compare_time(values, "=", text)
        else:
            true = pc.is_in(values, value_set=pa.array(list(self.values)).cast(values.type))
        return unknown_where_null(true, values)


@dataclass(frozen=True)
class Like(Node):
    """`column like 'pattern'`: `%` is any text, `_` any one character, `\\` before them the sign itself.

    Unknown where the column is null.
    """

    column: Column
    pattern: str

    @property
    def canonical(self) -> str:
        return f"{self.column.canonical} like {canonical_operand(self.pattern)}"

    def answer(self, table: pa.Table) -> Answer:
        return pc.match_like(self.column.load(table), self.pattern)


@dataclass(frozen=True)
class Contains(Node):
    """`column contains value`: an element of a list, or a part of text. Unknown where the column is null; an element
    that is null equals nothing.
    """

    column: Column
    value: Literal

    @property
    def canonical(self) -> str:
        return f"{self.column.canonical} contains {canonical_operand(self.value)}"

    def answer(self, table: pa.Table) -> Answer:
        values = self.column.load(table)
        if self.column.kind is ColumnKind.TEXT:
            return pc.match_substring(values, str(self.value))
        true = np.zeros(len(values), bool)
        first = 0
        for chunk in values.chunks:
            rows = pc.list_parent_indices(chunk).to_numpy()
            true[first + rows[self._equal(chunk.flatten())]] = True
            first += len(chunk)
        return unknown_where_null(true, values)

    def _equal(self, elements: pa.Array) -> np.ndarray:
        values = plain(pa.chunked_array([elements]))
        if self.column.element is ColumnKind.NUMBER:
            assert isinstance(self.value, int | float)
            equal = among(numbers(values), [self.value])
            return equal & bools(pc.is_valid(values)) if values.null_count else equal
        return bools(pc.equal(values, pa.scalar(self.value).cast(values.type)))


@dataclass(frozen=True)
class Not(Node):
    """`not (…)`: unknown stays unknown."""

    node: Node

    @property
    def canonical(self) -> str:
        return f"not ({self.node.canonical})"

    def answer(self, table: pa.Table) -> Answer:
        return pc.invert(self.node.answer(table))


@dataclass(frozen=True)
class Join(Node):
    """`… and …` or `… or …`, of two or more nodes."""

    word: str
    nodes: tuple[Node, ...]

    @property
    def canonical(self) -> str:
        parts = (f"({node.canonical})" if isinstance(node, Join) else node.canonical for node in self.nodes)
        return f" {self.word} ".join(parts)

    def answer(self, table: pa.Table) -> Answer:
        return reduce(_KLEENE[self.word], (node.answer(table) for node in self.nodes))


def canonical_operand(operand: Operand) -> str:
    """Return an operand as it is written in a filter."""
    if isinstance(operand, Column):
        return operand.canonical
    if isinstance(operand, bool):
        return "true" if operand else "false"
    if isinstance(operand, str):
        return "'" + operand.replace("'", "''") + "'"
    return repr(operand)


def unknown_where_null(true: np.ndarray | Answer, *columns: pa.ChunkedArray) -> Answer:
    """Return an answer with the rows unknown where one of the columns is null."""
    if isinstance(true, np.ndarray):  # packed by NumPy, which is many times as fast as Arrow at it
        bits = pa.py_buffer(np.packbits(true, bitorder="little"))
        answer = pa.Array.from_buffers(pa.bool_(), len(true), [None, bits])
    else:
        answer = true
    for column in columns:
        if column.null_count:
            answer = pc.if_else(pc.is_valid(column), answer, None)
    return answer
