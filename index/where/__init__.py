"""The filter language of `--where`, `?where=` and saved links: lexer, parser and evaluation over columns."""

from .columns import ClassNames
from .parser import Filter, parse

__all__ = [
    "ClassNames",
    "Filter",
    "parse",
]
