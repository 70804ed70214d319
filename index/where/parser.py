"""The filter language of `--where` and `?where=`: one grammar, one parser.

    filter     = and { "or" and }
    and        = not { "and" not }
    not        = { "not" } ( "(" filter ")" | condition )
    condition  = operand ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) operand
               | column [ "not" ] "in" "(" literal { "," literal } ")"
               | column [ "not" ] "like" text
               | column [ "not" ] "contains" literal
               | column "is" [ "not" ] ( "null" | "nan" )
               | column of true/false values | "true" | "false"
    operand    = column | literal
    literal    = number | text | true | false
    text       = 'text' | "text"

Keywords may be in any case; a column with odd characters is written in `backquotes`; a quote inside quotes is doubled.
Columns are those of `images/` and `correct` (predicted = label_index). Logic is SQL's: a comparison with a null is
unknown, `not` of unknown is unknown, and only what is true is kept.

- Text is compared as it is, letters in capitals apart from small ones. `like` has `%` for any text and `_` for one
  character, `\\` before them for the sign itself. `contains` finds a part of text, or an element of a list.
- `predicted` and `label_index` are numbers of the model's classes; `= 'cat'` is the class of that name, or of that
  label. `predicted != label` compares classes: unknown where the label is none of the model's.
- Where images have several labels, or a multi-label model predicts several classes, `label = 'cat'` and `predicted =
  'cat'` keep the images with such a one among them, as `contains` does; `!=` is its opposite.
- Numbers are compared exactly, whatever their types; but one with a fraction takes a float column's precision. NaN is
  unequal to everything, and found by `is nan`.
- Dates and times are compared with text: '2024-01-31', '2024-01-31 12:30:00'; with a time zone, as in
  '2024-01-31T12:30:00Z', where the column has one; text without is then in the column's zone.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...common.errors import FilterError
from .checks import Checks
from .columns import ClassNames, Column, ColumnKind, bools
from .expressions import MIRRORED, OPERATORS, Constant, IsNull, Join, Node, Not, Operand, Truth
from .lexer import Token, TokenKind, error_at, tokenize

NO_NAMES = ClassNames()
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
        """Return (rows,) bool: where the filter is true. `table` has at least `columns`, in the schema's types."""
        return bools(self.node.answer(table))


def parse(text: str, schema: pa.Schema, classes: ClassNames = NO_NAMES) -> Filter:
    """Return the filter that `text` is, over the columns of `schema`. classes: of the model, by their names.

    Raises FilterError, which shows the position, for bad syntax, an unknown column, a comparison of unlike
    types, or a filter that is too long or too deeply nested.

    >>> import pyarrow as pa
    >>> from unitscope.index.where import parse
    >>> images = pa.table({"label": ["cat", "dog", "cat"], "loss": [0.1, 2.5, 3.0]})
    >>> found = parse("label = 'cat' and loss > 2", images.schema)
    >>> sorted(found.columns), found.mask(images)
    (['label', 'loss'], array([False, False,  True]))
    """
    parser = _Parser(text, schema, classes)
    node = parser.parse()
    return Filter(text=text, canonical=node.canonical, columns=frozenset(parser.checks.reads), node=node)


class _Parser:
    """Recursive descent, one method for each rule of the grammar; the depth is bounded."""

    def __init__(self, text: str, schema: pa.Schema, classes: ClassNames) -> None:
        self.text = text
        self.checks = Checks(text, schema, classes)
        self.tokens = tokenize(text)
        self.next = 0
        self.conditions = 0

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
        """Return the rules `filter` (word "or") and `and`."""
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
        if self.token.is_symbol(*OPERATORS):
            return self.comparison(start, left)
        if self.token.is_keyword("in", "is", "not") or self.token.is_word("like", "contains"):
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
        raise self.error_here("expected a comparison such as `=`, `<`, `in (…)`, `like '…'` or `is null`")

    def comparison(self, start: Token, left: Operand) -> Node:
        operator, second = self.take(), self.token
        right = self.operand()
        if self.token.is_symbol(*OPERATORS):
            raise self.error_here("comparisons cannot be chained; join two with `and`")
        word = str(operator.value)
        if isinstance(left, Column):
            return self.checks.comparison(left, word, operator, right, second)
        if isinstance(right, Column):
            return self.checks.comparison(right, MIRRORED[word], operator, left, start)
        raise error_at(self.text, start.position, "A comparison needs a column on at least one side.")

    def is_null(self, column: Column) -> Node:
        self.take()
        negated = self.token.is_keyword("not")
        if negated:
            self.take()
        if self.token.is_word("nan"):
            node = self.checks.is_nan(column, self.take())
        elif self.token.is_keyword("null"):
            self.take()
            node = IsNull(column)
        else:
            raise self.error_here("expected `null` or `nan` (`is null`, `is not null`, `is nan`)")
        return _negate(node) if negated else node

    def among(self, column: Column) -> Node:
        negated = self.token.is_keyword("not")
        if negated:
            self.take()
        if self.token.is_word("like", "contains"):
            operator, start = self.take(), self.token
            check = self.checks.like if str(operator.value).lower() == "like" else self.checks.contains
            node = check(column, operator, self.operand(), start)
        elif self.token.is_keyword("in"):
            node = self.listed(column)
        else:
            raise self.error_here("expected `in (…)`, `like '…'` or `contains '…'`")
        return _negate(node) if negated else node

    def listed(self, column: Column) -> Node:
        operator = self.take()
        if not self.token.is_symbol("("):
            raise self.error_here("expected `(` and a list of values")
        values: list[tuple[Operand, Token]] = []
        while not values or self.token.is_symbol(","):
            self.take()
            start = self.token
            values.append((self.operand(), start))
        if not self.token.is_symbol(")"):
            raise self.error_here("expected `,` or `)`")
        self.take()
        return self.checks.among(column, operator, values)

    def operand(self) -> Operand:
        token = self.token
        if token.kind is TokenKind.NAME:
            return self.checks.column(self.take())
        if token.kind in (TokenKind.NUMBER, TokenKind.STRING):
            return self.take().value
        if token.is_keyword("true", "false"):
            return self.take().value == "true"
        if token.is_keyword("null"):
            raise self.error_here(_NULL_HINT)
        raise self.error_here("expected a column or a value")

    def error_here(self, expected: str) -> FilterError:
        token = self.token
        what = "The filter ends too early" if self.at_end else f"Unexpected {token.kind}"
        return error_at(self.text, token.position, f"{what}: {expected}.")


def _negate(node: Node) -> Node:
    """Return `not node`, without piling up double negations."""
    return node.node if isinstance(node, Not) else Not(node)
