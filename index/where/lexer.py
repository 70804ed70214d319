"""The words of a filter: cuts its text into tokens, and shows a position in it by a caret."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ...common.errors import FilterError

MAX_LENGTH = 65_536
"""Characters in a filter: room for thousands of ids in one `in (…)`."""
MAX_NUMBER_LENGTH = 64
_WHOLE_DIGITS = 20
"""Of a number such as 1e3, up to which it is read as an integer: more than any column holds."""
_SHOWN = 60
"""Characters of the filter shown on each side of a caret."""

KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null", "true", "false"})


class TokenKind(StrEnum):
    """What a token is; the value is the word used in messages."""

    KEYWORD = "keyword"
    NAME = "column"
    NUMBER = "number"
    STRING = "string"
    SYMBOL = "symbol"
    END = "end"


Literal = int | float | str | bool


@dataclass(frozen=True)
class Token:
    """One word; `value` is the keyword in lower case, the number, or the name or text without quotes."""

    kind: TokenKind
    value: int | float | str
    position: int

    def is_keyword(self, *words: str) -> bool:
        """Return whether it is one of these keywords."""
        return self.kind is TokenKind.KEYWORD and self.value in words

    def is_word(self, *words: str) -> bool:
        """Return whether it is one of these words, which are keywords only after a column."""
        return self.kind is TokenKind.NAME and str(self.value).lower() in words

    def is_symbol(self, *symbols: str) -> bool:
        """Return whether it is one of these symbols."""
        return self.kind is TokenKind.SYMBOL and self.value in symbols


_PATTERN = re.compile(
    r"""(?P<space>\s+)
    | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[^\W\d]\w*)
    | '(?P<single>(?:[^']|'')*)'
    | "(?P<double>(?:[^"]|"")*)"
    | `(?P<quoted>(?:[^`]|``)*)`
    | (?P<symbol>==|!=|<>|<=|>=|[=<>(),])
    """,
    re.VERBOSE,
)


def error_at(text: str, position: int, message: str) -> FilterError:
    """Return the error, with the filter shown below its message and a caret under `position`."""
    start, stop = max(0, position - _SHOWN), min(len(text), position + _SHOWN)
    head, tail = "…" if start else "", "…" if stop < len(text) else ""
    shown = "".join(character if character.isprintable() else " " for character in text[start:stop])
    caret = " " * (len(head) + position - start) + "^"
    return FilterError(f"{message}\n  {head}{shown}{tail}\n  {caret}")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of `text`, the last of kind END. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"The filter is {len(text):,} characters long; at most {MAX_LENGTH:,} are allowed.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError(f"The filter is not valid Unicode text (character {error.start + 1}).") from None
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise _unexpected(text, position)
        if match.lastgroup != "space":
            tokens.append(_token(text, match))
        position = match.end()
    tokens.append(Token(TokenKind.END, "", len(text)))
    return tokens


def is_number(text: str) -> bool:
    """Return whether a text is a number as a filter may hold it."""
    found = _PATTERN.fullmatch(text.strip())
    return found is not None and found.lastgroup == "number" and len(found[0]) <= MAX_NUMBER_LENGTH


def _token(text: str, match: re.Match[str]) -> Token:
    position, word = match.start(), match[match.lastgroup or 0]
    match match.lastgroup:
        case "number":
            kind, value = TokenKind.NUMBER, _number(text, position, word)
        case "name" if word.lower() in KEYWORDS:
            kind, value = TokenKind.KEYWORD, word.lower()
        case "name":
            kind, value = TokenKind.NAME, word
        case "single":
            kind, value = TokenKind.STRING, word.replace("''", "'")
        case "double":
            kind, value = TokenKind.STRING, word.replace('""', '"')
        case "quoted":
            kind, value = TokenKind.NAME, word.replace("``", "`")
        case _:
            kind, value = TokenKind.SYMBOL, {"==": "=", "<>": "!="}.get(word, word)
    return Token(kind, value, position)


def _number(text: str, position: int, word: str) -> int | float:
    """Return an int where the number is whole, so that ids beyond 2**53 stay exact."""
    end = position + len(word)
    if len(word) > MAX_NUMBER_LENGTH:
        raise error_at(text, position, f"This number has more than {MAX_NUMBER_LENGTH} characters.")
    if end < len(text) and (text[end].isalnum() or text[end] in "_."):
        raise error_at(text, end, f"Unexpected {text[end]!r} after the number {word}.")
    if word.lstrip("+-").isdigit():
        return int(word)
    number, exact = float(word), Decimal(word)
    if number in (float("inf"), float("-inf")):
        raise error_at(text, position, f"The number {word} is too large.")
    is_whole = exact.adjusted() < _WHOLE_DIGITS and exact == exact.to_integral_value()
    return int(exact) if is_whole else number


def _unexpected(text: str, position: int) -> FilterError:
    character = text[position]
    if character in "'\"`":
        return error_at(
            text, position, f"The quote {character} is never closed; inside quotes it is written twice."
        )
    if text.startswith(("&&", "||"), position):
        return error_at(text, position, f"Unexpected {text[position : position + 2]!r}; write `and` or `or`.")
    if character == "!":
        return error_at(text, position, "Unexpected '!'; write `not`, or `!=`.")
    hint = "text is written in 'quotes', the name of a column with such a character in `backquotes`"
    return error_at(text, position, f"Unexpected {character!r} in the filter; {hint}.")
