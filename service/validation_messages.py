"""What is wrong with a request, in plain words: the checks' own messages hold types of Python and patterns."""

from collections.abc import Callable, Mapping
from typing import Any

from .queries.atlas.regions import REGION_PATTERN
from .queries.paging import CURSOR_PATTERN
from .stores.urls import BOX_PATTERN

_SHOWN = 100
_FORMS = {
    BOX_PATTERN: "four whole numbers x0,y0,x1,y1, as in 10,20,110,140",
    CURSOR_PATTERN: "the `next` of a page before, or nothing for the first page",
    REGION_PATTERN: "the corners x,y;x,y;x,y of a polygon in cells of the grid, as in 0,0;10,0;10,10",
    r"^[A-Za-z0-9_-]{1,64}$": "a name of at most 64 letters, digits, - and _",
}
_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "it is missing, and must be given",
    "extra_forbidden": lambda _: "there is no such field",
    "greater_than_equal": lambda about: f"it must be at least {about['ge']}",
    "greater_than": lambda about: f"it must be more than {about['gt']}",
    "less_than_equal": lambda about: f"it must be at most {about['le']}",
    "less_than": lambda about: f"it must be less than {about['lt']}",
    "finite_number": lambda _: "it must be a finite number",
    "string_too_long": lambda about: f"it must have at most {about['max_length']} characters",
    "string_too_short": lambda about: f"it must have at least {about['min_length']} characters",
    "too_long": lambda about: f"it must have at most {about['max_length']} items",
    "too_short": lambda about: f"it must have at least {about['min_length']} items",
    "literal_error": lambda about: f"it must be {str(about['expected']).replace(chr(39), '')}",
    "enum": lambda about: f"it must be {str(about['expected']).replace(chr(39), '')}",
    "string_pattern_mismatch": lambda about: f"write {_FORMS.get(about['pattern'], 'it in another form')}",
    "json_invalid": lambda _: "the body is not JSON",
    "value_error": lambda about: str(about.get("error", "it has no such value")),
}
_KINDS = (
    ("int_", "it must be a whole number"),
    ("float_", "it must be a number"),
    ("bool_", "it must be true or false"),
    ("string_", "it must be text"),
    ("list_", "it must be a list"),
    ("dict_", "it must be a JSON object"),
    ("model_", "it must be a JSON object"),
    ("tuple_", "it must be a list"),
    ("bytes_", "it must be a file"),
)


def plain_words(error: Mapping[str, Any]) -> str:
    """Return what is wrong with one value, and what is allowed. error: as pydantic has it."""
    kind = str(error["type"])
    words = next((words for start, words in _KINDS if kind.startswith(start)), str(error["msg"]))
    if kind in _WORDS:
        words = _WORDS[kind](error.get("ctx") or {})
    given = error.get("input")
    if kind == "missing" or not isinstance(given, str | int | float):
        return words
    return f"{words}, not {_given(given)}"


def _given(value: str | int | float) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    shown = "".join(letter if letter.isprintable() else " " for letter in text[:_SHOWN])
    return f"{shown}…" if len(text) > _SHOWN else shown or "nothing"
