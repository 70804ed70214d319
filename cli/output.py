"""Prints answers on stdout: tables for people, JSON for programs; and writes numbers with their units.

A terminal gets a table drawn by rich, which leaves colours out where NO_COLOR is set. Anything else (a file, a pipe)
gets the same columns as aligned plain text.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from .stdout import answers

NOTHING = "–"
"""A cell without a value."""


class ReaderGoneError(Exception):
    """Whoever read stdout has closed it."""


@dataclass(frozen=True)
class Column:
    """One column of a table. right: flush right, as numbers are."""

    title: str
    right: bool = False


def print_json(value: object) -> None:
    """Print `value` as one JSON document. Dataclasses become objects, arrays become lists.

    NaN and infinities become the strings "NaN", "Infinity" and "-Infinity", since JSON has no numbers for them.
    """
    _write(json.dumps(_plain(value), indent=2, allow_nan=False) + "\n")


def print_lines(*lines: str) -> None:
    """Print text, line by line."""
    _write("".join(clean(line, keep="\n\t") + "\n" for line in lines))


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; cells are written by `cell`. A table without rows prints its titles only."""
    cells = [[cell(value) for value in row] for row in rows]
    _write(_drawn(columns, cells) if answers().isatty() else _aligned(columns, cells))


def cell(value: object) -> str:
    """Return one value of a table: None as a dash, floats with four significant digits, text without control
    characters.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return clean(str(value))


def clean(text: str, keep: str = "") -> str:
    """Return `text` with what does not print (control characters, broken file names) escaped: names in a dataset are
    not allowed to steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape", "backslashreplace").decode()
        for one in text
    )


def count(number: int, unit: str = "") -> str:
    """Return `50,000 images`, `1 image`; bytes as `size` writes them."""
    if unit == "bytes":
        return size(number)
    if number == 1:
        unit = unit.removesuffix("s")
    return f"{number:,} {unit}".rstrip()


def size(length: float) -> str:
    """Return a number of bytes in powers of 1,000: `1.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if length < 999.5 or unit == "TB":
            break
        length /= 1_000
    return f"{length:,.0f} {unit}" if unit == "bytes" or length >= 100 else f"{length:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3_600)
    return f"{hours // 24} d {hours % 24} h"


def rate(done: float, seconds: float, unit: str) -> str:
    """Return `1,041 images/s`, with a decimal below ten."""
    if seconds <= 0:
        return f"{NOTHING} {unit}/s"
    value = done / seconds
    if unit == "bytes":
        return f"{size(value)}/s"
    return f"{value:,.0f} {unit}/s" if value >= 10 else f"{value:.1f} {unit}/s"


def pace_of(done: int, total: int | None, unit: str, seconds: float) -> str:
    """Return `1,041 images/s, 48 s left`: the mean rate since the stage began, and what it promises for the rest."""
    speed = rate(done, seconds, unit)
    if total is None or not done or done > total:
        return speed
    return f"{speed}, {duration((total - done) * seconds / done)} left"


def _plain(value: Any) -> Any:
    """Return `value` made of what JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else _nonfinite(value)
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    return _plain(_unwrapped(value))


def _unwrapped(value: Any) -> Any:
    """Return the fields of a dataclass, the numbers of numpy, the text of a path."""
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, PurePath):
        return str(value)
    to_list = getattr(value, "tolist", None)
    if to_list is None:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return to_list()


def _nonfinite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _aligned(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Return plain text: titles, then rows, two spaces between the columns."""
    widths = [max([len(column.title), *(len(row[i]) for row in rows)]) for i, column in enumerate(columns)]

    def line(texts: Iterable[str]) -> str:
        return "  ".join(
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(texts, widths, columns, strict=True)
        ).rstrip()

    return "".join(line(texts) + "\n" for texts in ([column.title for column in columns], *rows))


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Return what rich draws for this terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(Text(column.title), justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    console = Console(highlight=False, file=answers())
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def flush() -> None:
    """Send what is printed on its way. Raises ReaderGoneError."""
    _write("")


def _write(text: str) -> None:
    stream = answers()
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except UnicodeEncodeError:
        stream.write(text.encode(stream.encoding, "replace").decode(stream.encoding))
        stream.flush()
