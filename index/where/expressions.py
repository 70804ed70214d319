"""What a parsed filter is made of, and how each piece is answered over a table.

An answer is a pair of (rows,) bool arrays, `true` and `false`; a row in neither is unknown (null), as in
SQL's three-valued logic. Columns and literals have passed the parser's type check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from ..compute import pc
from .columns import Column, ColumnKind, bools, numbers, valid
from .lexer import Literal
from .numbers import among, compare
from .times import compare_time, compare_times, nanoseconds

Answer = tuple[np.ndarray, np.ndarray]


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


class Node(Protocol):
    """A condition, or several joined."""

    @property
    def canonical(self) -> str:
        """The node as it is written in a filter: it means the same."""
        ...

    def answer(self, table: pa.Table) -> Answer:
        """Return where it is true and where false."""
        ...


@dataclass(frozen=True)
class Constant:
    """`true` or `false` standing alone."""

    value: bool

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return "true" if self.value else "false"

    def answer(self, table: pa.Table) -> Answer:
        """Return the same for every row."""
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
        """Return the column itself."""
        return answer_of(self.column.load(table))


@dataclass(frozen=True)
class IsNull:
    """`column is null`."""

    column: Column

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return f"{self.column.canonical} is null"

    def answer(self, table: pa.Table) -> Answer:
        """Return an answer that is never unknown."""
        null = bools(pc.is_null(self.column.load(table)))
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
        """Return unknown where a side is null."""
        values = self.column.load(table)
        other = self.operand.load(table) if isinstance(self.operand, Column) else self.operand
        known = valid(values)
        if isinstance(other, pa.ChunkedArray):
            known &= valid(other)
        true = self._true(values, other)
        return true & known, ~true & known

    def _true(self, values: pa.ChunkedArray, other: Any) -> np.ndarray:
        """Return (rows,) bool; anything where a side is null."""
        if self.column.kind is ColumnKind.NUMBER:
            right = numbers(other)[0] if isinstance(other, pa.ChunkedArray) else other
            return compare(numbers(values)[0], self.operator, right)
        if self.column.kind is ColumnKind.TIME:
            made = compare_times if isinstance(other, pa.ChunkedArray) else compare_time
            return made(values, self.operator, other)
        if not isinstance(other, pa.ChunkedArray):
            other = pa.scalar(other).cast(values.type)
        return bools(pc.fill_null(_ARROW[self.operator](values, other), False))


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
        """Return unknown where the column is null."""
        values = self.column.load(table)
        known = valid(values)
        if self.column.kind is ColumnKind.NUMBER:
            literals = [value for value in self.values if not isinstance(value, str)]
            true = among(numbers(values)[0], literals)
        elif self.column.kind is ColumnKind.TIME:
            true = np.zeros(len(known), bool)
            for text in {nanoseconds(str(value), values.type): str(value) for value in self.values}.values():
                true |= compare_time(values, "=", text)
        else:
            true = bools(pc.is_in(values, value_set=pa.array(list(self.values)).cast(values.type)))
        return true & known, ~true & known


@dataclass(frozen=True)
class Not:
    """`not (…)`: unknown stays unknown."""

    node: Node

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        return f"not ({self.node.canonical})"

    def answer(self, table: pa.Table) -> Answer:
        """Return True and false change places."""
        true, false = self.node.answer(table)
        return false, true


@dataclass(frozen=True)
class Join:
    """`… and …` or `… or …`, of two or more nodes."""

    word: str
    nodes: tuple[Node, ...]

    @property
    def canonical(self) -> str:
        """As it is written in a filter."""
        parts = (f"({node.canonical})" if isinstance(node, Join) else node.canonical for node in self.nodes)
        return f" {self.word} ".join(parts)

    def answer(self, table: pa.Table) -> Answer:
        """Return Kleene's and / or."""
        true, false = self.nodes[0].answer(table)
        for node in self.nodes[1:]:
            more_true, more_false = node.answer(table)
            if self.word == "and":
                true, false = true & more_true, false | more_false
            else:
                true, false = true | more_true, false & more_false
        return true, false


def canonical_operand(operand: Operand) -> str:
    """Return an operand as it is written in a filter."""
    if isinstance(operand, Column):
        return operand.canonical
    if isinstance(operand, bool):
        return "true" if operand else "false"
    if isinstance(operand, str):
        return "'" + operand.replace("'", "''") + "'"
    return repr(operand)


def answer_of(values: pa.ChunkedArray) -> Answer:
    """Return the answer that a true/false column is."""
    known = valid(values)
    true = bools(pc.fill_null(values, False))
    return true, ~true & known
