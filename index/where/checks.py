"""What names and values in a filter mean over a table's columns: finds columns and classes, refuses unlike types."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import pyarrow as pa

from ...common.closest import closest
from ...common.errors import FilterError
from ..labels.columns import (
    CORRECT,
    LABEL_INDICES,
    LABELS,
    PREDICTED_CLASSES,
    has_class_lists,
    has_label_lists,
)
from .columns import ClassNames, Column, ColumnKind, column_kind, element_kind
from .expressions import Among, Compare, Contains, IsNan, Join, Like, Node, Not, Operand
from .lexer import Literal, Token, error_at, is_number
from .times import TimeTextError, nanoseconds, same_clock

CLASS_COLUMNS = ("predicted", "label_index")
"""Columns of images/ that hold numbers of the model's classes."""
CLASS_LISTS = (LABEL_INDICES, PREDICTED_CLASSES)
"""Columns of images/ that hold lists of such numbers."""
_SHOWN = 30
_EQUALITY = ("=", "!=")


class Checks:
    """The columns of one filter's table. text: the filter. reads: the columns that were named so far."""

    def __init__(self, text: str, schema: pa.Schema, classes: ClassNames) -> None:
        self.text, self.classes = text, classes
        self.types: dict[str, pa.DataType] = dict(zip(schema.names, schema.types, strict=True))
        self.columns = _columns(schema)
        self.reads: set[str] = set()

    def column(self, token: Token) -> Column:
        """Return the column that is named. Raises FilterError."""
        name = str(token.value)
        column = self.columns.get(name)
        if column is None:
            shown, close = _close(name, list(self.columns))
            does = "Did you mean" if close else "There are"
            end = "?" if close else "; text is written in quotes."
            names = ", ".join(self.columns[known].canonical for known in shown)
            raise error_at(self.text, token.position, f"No column {name[:100]!r}. {does} {names}{end}")
        return self.read(column)

    def read(self, column: Column) -> Column:
        """Return the column itself; it is noted."""
        self.reads.update(column.reads)
        return column

    def comparison(self, column: Column, word: str, operator: Token, operand: Operand, start: Token) -> Node:
        """Return `column word operand`, if it compares like with like. Raises FilterError."""
        if isinstance(operand, Column):
            return self._two_columns(column, word, operator, operand)
        if column.is_several:
            self.equality_only(column, word, operator, "one of it")
            node = self.contains(column, operator, operand, start)
            return Not(node) if word == "!=" else node
        if column.name in CLASS_COLUMNS and isinstance(operand, str):
            self.equality_only(column, word, operator, "its name")
            node = Among(column, tuple(self.class_numbers(operand, start)))
            return Not(node) if word == "!=" else node
        return Compare(column, word, self.literal(column, word, operator, operand, start))

    def among(self, column: Column, operator: Token, values: Sequence[tuple[Operand, Token]]) -> Node:
        """Return `column in (values)`. Raises FilterError."""
        literals: set[Literal] = set()
        for value, start in values:
            if isinstance(value, Column):
                raise error_at(self.text, start.position, "A list holds values; text is written in quotes.")
        if column.is_several:
            return _any_of([self.contains(column, operator, value, start) for value, start in values])
        for value, start in values:
            assert not isinstance(value, Column)
            if column.name in CLASS_COLUMNS and isinstance(value, str):
                literals.update(self.class_numbers(value, start))
            else:
                literals.add(self.literal(column, "in", operator, value, start))
        return Among(column, tuple(sorted(literals)))  # the check left one type, so they can be sorted

    def like(self, column: Column, operator: Token, pattern: Operand, start: Token) -> Node:
        """Return `column like 'pattern'`. Raises FilterError."""
        column = self._named(column) if column.name in CLASS_COLUMNS else column
        if column.kind is not ColumnKind.TEXT:
            raise self._at(operator, f"{column.canonical} is {column.kind}; `like` compares text.")
        if not isinstance(pattern, str):
            raise self._at(start, "`like` is followed by text in quotes: % is any text, _ any one character.")
        return Like(column, pattern)

    def contains(self, column: Column, operator: Token, value: Operand, start: Token) -> Node:
        """Return `column contains value`. Raises FilterError."""
        if isinstance(value, Column):
            raise self._at(start, "`contains` is followed by a value; text is written in quotes.")
        if column.reads[0] in CLASS_LISTS and isinstance(value, str):
            return _any_of([Contains(column, number) for number in self.class_numbers(value, start)])
        column = self._named(column) if column.name in CLASS_COLUMNS and not column.is_several else column
        if column.kind not in (ColumnKind.TEXT, ColumnKind.LIST):
            raise self._at(operator, f"{column.canonical} is {column.kind}; `contains` asks lists and text.")
        wanted = column.element or column.kind
        if _literal_kind(value) is not wanted:
            quotes = f" Write it in quotes: '{value}'." if wanted is ColumnKind.TEXT else ""
            what = f"{column.canonical} contains {wanted}, which {_shown(value)} is not."
            raise self._at(start, what + quotes)
        return Contains(column, value)

    def is_nan(self, column: Column, token: Token) -> Node:
        """Return `column is nan`. Raises FilterError."""
        if column.kind is not ColumnKind.NUMBER:
            raise self._at(token, f"{column.canonical} is {column.kind}; only a number can be nan.")
        return IsNan(column)

    def literal(self, column: Column, word: str, operator: Token, value: Literal, start: Token) -> Literal:
        """Return the value, if the column can be compared with it. Raises FilterError."""
        self._comparable(column, operator)
        if column.kind is ColumnKind.TIME and isinstance(value, str):
            self._check_time(column, value, start)
        elif _literal_kind(value) is not column.kind:
            raise error_at(self.text, start.position, _mismatch(column, value))
        if column.kind is ColumnKind.BOOLEAN and word != "in":
            self.equality_only(column, word, operator, "it")
        return value

    def equality_only(self, column: Column, word: str, operator: Token, what: str) -> None:
        """Raise FilterError for an order, which true and false and names of classes do not have."""
        if word not in _EQUALITY:
            raise self._at(operator, f"{column.canonical} has no order: compare {what} with `=` or `!=`.")

    def class_numbers(self, name: str, start: Token) -> list[int]:
        """Return the numbers of the classes with a name. Raises FilterError."""
        found = self.classes.numbers(name)
        if found:
            return found
        known = sorted({*self.classes.names, *self.classes.labels()})
        if not known:
            raise self._at(start, "The classes of this model have no names; compare with a number.")
        shown, close = _close(name, known)
        does = "Did you mean" if close else "There are"
        names = ", ".join(_shown(one) for one in shown)
        more = "" if close or len(known) <= _SHOWN else " and more"
        raise self._at(
            start, f"No class {name[:100]!r} of the model. {does} {names}{more}{'?' if close else '.'}"
        )

    def _two_columns(self, column: Column, word: str, operator: Token, other: Column) -> Node:
        mixed = {column.name, other.name}
        if mixed == {"label", "predicted"} and (column.is_several or other.is_several):
            raise self._at(operator, "An image has several labels here: write `correct = false`, or true.")
        if "label" in mixed and "predicted" in mixed and "label_index" in self.columns:
            self.equality_only(column, word, operator, "the classes")
            pair = (self.columns[name] for name in ("predicted", "label_index"))
            predicted, index = map(self.read, pair)
            return Compare(predicted, word, index)
        for one, text in ((column, other), (other, column)):
            if one.name in CLASS_COLUMNS and text.kind is ColumnKind.TEXT:
                self.equality_only(column, word, operator, "the names")
                return Compare(self._named(one), word, text)
        for one in (column, other):
            self._comparable(one, operator)
        clocks = column.kind is not ColumnKind.TIME or same_clock(self.type_of(column), self.type_of(other))
        if other.kind is not column.kind or not clocks:
            names = f"{column.canonical} is {column.kind} and {other.canonical} is {other.kind}"
            why = names if clocks else f"one of {column.canonical} and {other.canonical} has no time zone"
            raise self._at(operator, f"These cannot be compared: {why}.")
        if column.kind is ColumnKind.BOOLEAN:
            self.equality_only(column, word, operator, "it")
        return Compare(column, word, other)

    def _named(self, column: Column) -> Column:
        """Return a column of class numbers as the names of the classes. Raises FilterError."""
        if not self.classes.names:
            raise FilterError(
                f"{column.canonical} is a number here: the classes of this model have no names. "
                f"Compare it with a number, such as `{column.canonical} = 0`."
            )
        return Column(column.name, ColumnKind.TEXT, column.reads, names=self.classes.names)

    def _comparable(self, column: Column, operator: Token) -> None:
        if column.kind is ColumnKind.LIST:
            raise self._at(operator, f"{column.canonical} is a list: write `{column.canonical} contains …`.")
        if column.kind is ColumnKind.OTHER:
            raise self._at(
                operator, f"{column.canonical} is {column.kind}; only `is null` can be asked of it."
            )

    def _check_time(self, column: Column, text: str, start: Token) -> None:
        kind = self.type_of(column)
        try:
            nanoseconds(text, kind)
        except TimeTextError as error:
            raise self._at(start, f"{_shown(text)} is not a date for {column.canonical}: {error}.") from None

    def type_of(self, column: Column) -> pa.DataType:
        """Return the Arrow type of a column's values."""
        kind = self.types[column.reads[0]]
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def _at(self, token: Token, message: str) -> FilterError:
        return error_at(self.text, token.position, message)


@lru_cache(maxsize=64)
def _columns(schema: pa.Schema) -> Mapping[str, Column]:
    """Return the columns that a filter may name; `correct` is derived where the columns it needs are there."""
    names: list[str] = schema.names
    columns: dict[str, Column] = {}
    for name in names:
        kind = schema.field(name).type
        columns[name] = Column(name, column_kind(kind), (name,), element_kind(kind))
    if CORRECT not in columns and "predicted" in columns and "label_index" in columns:
        columns[CORRECT] = Column(CORRECT, ColumnKind.BOOLEAN, ("predicted", "label_index"))
    if has_label_lists(schema):
        columns["label"] = replace(columns[LABELS], name="label")
    if LABEL_INDICES in columns:
        columns["label_index"] = replace(columns[LABEL_INDICES], name="label_index")
    if has_class_lists(schema):
        columns["predicted"] = replace(columns[PREDICTED_CLASSES], name="predicted")
    return columns


def _any_of(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Join("or", tuple(nodes))


def _close(name: str, known: Sequence[str]) -> tuple[list[str], bool]:
    """Return the names that are like one, or else the first of all; and whether they are like it."""
    close = closest(name, known, any_case=True)
    return (close or sorted(known)[:_SHOWN]), bool(close)


def _literal_kind(literal: Literal) -> ColumnKind:
    if isinstance(literal, bool):
        return ColumnKind.BOOLEAN
    return ColumnKind.TEXT if isinstance(literal, str) else ColumnKind.NUMBER


def _shown(literal: Literal) -> str:
    if isinstance(literal, bool):
        return "true" if literal else "false"
    return "'" + literal[:100].replace("'", "''") + "'" if isinstance(literal, str) else str(literal)


def _mismatch(column: Column, literal: Literal) -> str:
    hint = ""
    if column.kind is ColumnKind.TEXT:
        hint = f" Write the value in quotes: '{_shown(literal)}'."
    elif column.kind is ColumnKind.TIME:
        hint = " Write a date in quotes: '2024-01-31'."
    elif column.kind is ColumnKind.BOOLEAN:
        hint = " Write true or false, without quotes."
    elif isinstance(literal, str) and is_number(literal):
        hint = f" Leave out the quotes: {literal.strip()}."
    return (
        f"{column.canonical} is {column.kind}, which cannot be compared with {_literal_kind(literal)}.{hint}"
    )
