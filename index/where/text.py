"""Conditions on text, lists and NaN: `like`, `contains`, `is nan`. Each is a node of a filter (filter_nodes.py)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..compute import pc
from .columns import Column, ColumnKind, bools, numbers, plain, valid
from .expressions import Answer, answer_of, canonical_operand
from .lexer import Literal
from .numbers import among


@dataclass(frozen=True)
class Like:
    """`column like 'pattern'`: `%` is any text, `_` any one character, `\\` before them the sign itself."""

    column: Column
    pattern: str

    @property
    def canonical(self) -> str:
        """The node as it is written in a filter."""
        return f"{self.column.canonical} like {canonical_operand(self.pattern)}"

    def answer(self, table: pa.Table) -> Answer:
        """Return where it is true and where false: unknown where the column is null."""
        return answer_of(pc.match_like(self.column.load(table), self.pattern))


@dataclass(frozen=True)
class Contains:
    """`column contains value`: an element of a list, or a part of text."""

    column: Column
    value: Literal

    @property
    def canonical(self) -> str:
        """The node as it is written in a filter."""
        return f"{self.column.canonical} contains {canonical_operand(self.value)}"

    def answer(self, table: pa.Table) -> Answer:
        """Return where it is true and where false: unknown where the column is null; null elements equal nothing."""
        values = self.column.load(table)
        if self.column.kind is ColumnKind.TEXT:
            return answer_of(pc.match_substring(values, str(self.value)))
        known = valid(values)
        true = np.zeros(len(values), bool)
        first = 0
        for chunk in values.chunks:
            rows = pc.list_parent_indices(chunk).to_numpy()
            true[first + rows[self._equal(chunk.flatten())]] = True
            first += len(chunk)
        return true & known, ~true & known

    def _equal(self, elements: pa.Array) -> np.ndarray:
        values = plain(pa.chunked_array([elements]))
        if self.column.element is ColumnKind.NUMBER:
            found, known = numbers(values)
            assert isinstance(self.value, int | float)
            return among(found, [self.value]) & known
        return bools(pc.fill_null(pc.equal(values, pa.scalar(self.value).cast(values.type)), False))


@dataclass(frozen=True)
class IsNan:
    """`column is nan`."""

    column: Column

    @property
    def canonical(self) -> str:
        """The node as it is written in a filter."""
        return f"{self.column.canonical} is nan"

    def answer(self, table: pa.Table) -> Answer:
        """Return where it is true and where false: unknown where the column is null."""
        values, known = numbers(self.column.load(table))
        true = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        return true & known, ~true & known
