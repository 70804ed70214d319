"""The filter language of `--where` and `?where=`: one grammar, one parser.

    filter     = and { "or" and }
    and        = not { "and" not }
    not        = { "not" } ( "(" filter ")" | condition )
    condition  = operand ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) operand
               | column [ "not" ] "in" "(" literal { "," literal } ")"
               | column "is" [ "not" ] "null"
               | column of true/false values | "true" | "false"
    operand    = column | literal
    literal    = number | 'text' | "text" | true | false

Keywords may be in any case; a column with odd characters is written in `backquotes`; a quote inside quotes is
doubled. Columns are those of `images/` and `correct` (predicted = label_index). Logic is SQL's: a comparison
with a null is unknown, `not` of unknown is unknown, and only what is true is kept. A date is compared with
text ('2024-01-31'). A number is compared with a float column at that column's precision.
"""

import difflib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..common.errors import FilterError
from .filter_nodes import (
    COMPARISONS,
    MIRRORED,
    Among,
    Column,
    ColumnKind,
    Compare,
    Constant,
    IsNull,
    Join,
    Node,
    Not,
    Operand,
    Truth,
    column_kind,
)
from .filter_tokens import Literal, Token, TokenKind, error_at, tokenize

MAX_DEPTH = 50
"""Parentheses within parentheses."""
MAX_CONDITIONS = 500
"""Conditions in one filter; each is one pass over the table."""
_NULL_HINT = "a comparison with null is never true; write `is null` or `is not null`"


@dataclass(frozen=True)
class Filter:
    """A parsed filter.

    text: as it was given. canonical: the same meaning in one fixed spelling, for cache keys and answers.
    columns: the columns of the table that `mask` reads (`correct` reads `predicted` and `label_index`).
    """

    text: str
    canonical: str
    columns: frozenset[str]
    node: Node

    def mask(self, table: pa.Table) -> np.ndarray:
        """(rows,) bool: where the filter is true. `table` has at least `columns`, in the schema's types."""
        return self.node.answer(table)[0]


def parse(text: str, schema: pa.Schema) -> Filter:
    """The filter that `text` says, over the columns of `schema`.

    Raises FilterError, which shows the position, for bad syntax, an unknown column, a comparison of unlike
    types, or a filter that is too long or too deeply nested.
    """
    parser = _Parser(text, schema)
    node = parser.parse()
    return Filter(text=text, canonical=node.canonical, columns=frozenset(parser.reads), node=node)


class _Parser:
    """Recursive descent, one method for each rule of the grammar; the depth is bounded."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        self.text = text
        self.columns = _columns(schema)
        self.types: dict[str, pa.DataType] = dict(zip(schema.names, schema.types, strict=True))
        self.tokens = tokenize(text)
        self.next = 0
        self.conditions = 0
        self.reads: set[str] = set()

    @property
    def token(self) -> Token:
        return self.tokens[self.next]

    @property
    def at_end(self) -> bool:
        return self.token.kind is TokenKind.END

    def take(self) -> Token:
        token = self.token
        self.next += 1
        return token

    def parse(self) -> Node:
        if self.at_end:
            raise FilterError("The filter is empty; write a condition, such as `label = 'cat'`.")
        node = self.join("or", 0)
        if not self.at_end:
            raise self.error_here("expected `and`, `or` or the end")
        return node

    def join(self, word: str, depth: int) -> Node:
        """The rules `filter` (word "or") and `and`."""
        nodes: list[Node] = []
        while True:
            node = self.join("and", depth) if word == "or" else self.negation(depth)
            nodes.extend(node.nodes if isinstance(node, Join) and node.word == word else [node])
            if not self.token.is_keyword(word):
                return nodes[0] if len(nodes) == 1 else Join(word, tuple(nodes))
            self.take()

    def negation(self, depth: int) -> Node:
        negated = False
        while self.token.is_keyword("not"):
            self.take()
            negated = not negated
        node = self.group(depth) if self.token.is_symbol("(") else self.condition()
        return _negate(node) if negated else node

    def group(self, depth: int) -> Node:
        opening = self.take()
        if depth >= MAX_DEPTH:
            raise error_at(self.text, opening.position, f"Parentheses are nested more than {MAX_DEPTH} deep.")
        node = self.join("or", depth + 1)
        if not self.token.is_symbol(")"):
            if self.at_end:
                raise error_at(self.text, opening.position, "This parenthesis is never closed.")
            raise self.error_here("expected `and`, `or` or `)`")
        self.take()
        return node

    def condition(self) -> Node:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            hint = "use `in (…)` for many values"
            raise error_at(self.text, self.token.position, f"More than {MAX_CONDITIONS} conditions; {hint}.")
        start = self.token
        left = self.operand()
        if self.token.is_symbol(*COMPARISONS):
            return self.comparison(start, left)
        if self.token.is_keyword("in", "is", "not"):
            if not isinstance(left, Column):
                raise error_at(
                    self.text, start.position, f"A column is expected before `{self.token.value}`."
                )
            return self.is_null(left) if self.token.is_keyword("is") else self.among(left)
        if isinstance(left, bool):
            return Constant(left)
        if isinstance(left, Column) and left.kind is ColumnKind.BOOLEAN:
            return Truth(left)
        if isinstance(left, Column) and self.token.kind in (TokenKind.END, TokenKind.KEYWORD):
            message = f"{left.canonical} is {left.kind} and cannot stand alone; compare it with something."
            raise error_at(self.text, start.position, message)
        raise self.error_here("expected a comparison such as `=`, `<`, `in (…)` or `is null`")

    def comparison(self, start: Token, left: Operand) -> Node:
        operator, second = self.take(), self.token
        right = self.operand()
        if self.token.is_symbol(*COMPARISONS):
            raise self.error_here("comparisons cannot be chained; join two with `and`")
        word = str(operator.value)
        if isinstance(left, Column):
            return Compare(left, word, self.checked(left, word, operator, right, second))
        if isinstance(right, Column):
            mirrored = MIRRORED[word]
            return Compare(right, mirrored, self.checked(right, mirrored, operator, left, start))
        raise error_at(self.text, start.position, "A comparison needs a column on at least one side.")

    def is_null(self, column: Column) -> Node:
        self.take()
        negated = self.token.is_keyword("not")
        if negated:
            self.take()
        if not self.token.is_keyword("null"):
            raise self.error_here("expected `null` (`is null` or `is not null`)")
        self.take()
        return _negate(IsNull(column)) if negated else IsNull(column)

    def among(self, column: Column) -> Node:
        negated = self.token.is_keyword("not")
        if negated:
            self.take()
        if not self.token.is_keyword("in"):
            raise self.error_here("expected `in (…)`")
        operator = self.take()
        if not self.token.is_symbol("("):
            raise self.error_here("expected `(` and a list of values")
        values: list[Literal] = []
        while not values or self.token.is_symbol(","):
            self.take()
            start = self.token
            value = self.checked(column, "in", operator, self.operand(), start)
            if isinstance(value, Column):
                raise error_at(self.text, start.position, "A list holds values; text is written in quotes.")
            values.append(value)
        if not self.token.is_symbol(")"):
            raise self.error_here("expected `,` or `)`")
        self.take()
        node = Among(column, tuple(sorted(set(values))))  # the check left one type, so they can be sorted
        return _negate(node) if negated else node

    def operand(self) -> Operand:
        token = self.token
        if token.kind is TokenKind.NAME:
            return self.column(self.take())
        if token.kind in (TokenKind.NUMBER, TokenKind.STRING):
            return self.take().value
        if token.is_keyword("true", "false"):
            return self.take().value == "true"
        if token.is_keyword("null"):
            raise self.error_here(_NULL_HINT)
        raise self.error_here("expected a column or a value")

    def column(self, token: Token) -> Column:
        name = str(token.value)
        column = self.columns.get(name)
        if column is None:
            lowered = {known.lower(): known for known in self.columns}
            close = difflib.get_close_matches(name[:100].lower(), lowered, n=3, cutoff=0.6)
            shown = [lowered[match] for match in close] or sorted(self.columns)
            does = "Did you mean" if close else "There are"
            end = "?" if close else "; text is written in quotes."
            names = ", ".join(self.columns[known].canonical for known in shown[:30])
            raise error_at(self.text, token.position, f"No column {name[:100]!r}. {does} {names}{end}")
        self.reads.update(column.reads)
        return column

    def checked(self, column: Column, word: str, operator: Token, operand: Operand, start: Token) -> Operand:
        """`operand`, if `column word operand` compares like with like."""
        if column.kind is ColumnKind.OTHER:
            message = f"{column.canonical} is {column.kind}; only `is null` can be asked of it."
            raise error_at(self.text, operator.position, message)
        if isinstance(operand, Column):
            same_time = column.kind is not ColumnKind.TIME or self.type_of(column) == self.type_of(operand)
            if operand.kind is not column.kind or not same_time:
                names = f"{column.canonical} is {column.kind} and {operand.canonical} is {operand.kind}"
                raise error_at(self.text, operator.position, f"These cannot be compared: {names}.")
        elif column.kind is ColumnKind.TIME and isinstance(operand, str):
            self.check_time(column, operand, start)
        elif _literal_kind(operand) is not column.kind:
            raise error_at(self.text, start.position, _mismatch(column, operand))
        if column.kind is ColumnKind.BOOLEAN and word not in ("=", "!=", "in"):
            raise error_at(
                self.text, operator.position, f"{column.canonical} is true or false; use `=` or `!=`."
            )
        return operand

    def check_time(self, column: Column, text: str, start: Token) -> None:
        try:
            pa.scalar(text).cast(self.type_of(column))
        except pa.ArrowInvalid:
            what = f"{column.canonical} is a {self.type_of(column)}, which {text!r} is not"
            hint = "write '2024-01-31' or '2024-01-31 12:30:00'"
            raise error_at(self.text, start.position, f"{what}; {hint}.") from None

    def type_of(self, column: Column) -> pa.DataType:
        kind = self.types[column.reads[0]]
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def error_here(self, expected: str) -> FilterError:
        token = self.token
        what = "The filter ends too early" if self.at_end else f"Unexpected {token.kind}"
        return error_at(self.text, token.position, f"{what}: {expected}.")


def _columns(schema: pa.Schema) -> dict[str, Column]:
    """The columns that a filter may name; `correct` is derived where the columns it needs are there."""
    names: list[str] = schema.names
    columns = {name: Column(name, column_kind(schema.field(name).type), (name,)) for name in names}
    if "predicted" in columns and "label_index" in columns:
        columns["correct"] = Column("correct", ColumnKind.BOOLEAN, ("predicted", "label_index"))
    return columns


def _negate(node: Node) -> Node:
    """`not node`, without piling up double negations."""
    return node.node if isinstance(node, Not) else Not(node)


def _literal_kind(literal: Literal) -> ColumnKind:
    if isinstance(literal, bool):
        return ColumnKind.BOOLEAN
    return ColumnKind.TEXT if isinstance(literal, str) else ColumnKind.NUMBER


def _mismatch(column: Column, literal: Literal) -> str:
    what = _literal_kind(literal)
    hint = ""
    if column.kind is ColumnKind.TEXT:
        hint = f" Write the value in quotes: '{literal}'."
    elif what is ColumnKind.TEXT:
        hint = " Leave out the quotes, or name another column."
    return f"{column.canonical} is {column.kind}, which cannot be compared with {what}.{hint}"
