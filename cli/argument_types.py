"""Reads the values of arguments; a value that cannot be read is named, with what was allowed."""

import argparse
from collections.abc import Callable

MAX_PORT = 65_535


def whole(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers from `minimum` up to `maximum`."""
    allowed = f"a whole number of at least {minimum}"
    if maximum is not None:
        allowed = f"a whole number from {minimum} to {maximum}"

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {allowed}") from None
        if value < minimum or (maximum is not None and value > maximum):
            raise argparse.ArgumentTypeError(f"{text} is not {allowed}")
        return value

    return read


def named(text: str) -> str:
    """Return a name that is not empty, as an unset variable of a shell would be: that is not the same as no option."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: give one, or leave the option out")
    return text


def share(text: str) -> float:
    """Return a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share from 0 to 1 (0.001 is one image in a thousand)"
        )
    return value


def names(text: str) -> tuple[str, ...]:
    """Name and globs between commas, in order, without repeats."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(found):
        raise argparse.ArgumentTypeError(
            f"{text!r} holds an empty name; write them as in features.0,classifier.*"
        )
    return found


def input_size(text: str) -> tuple[int, int]:
    """Return (height, width) from `224` or `224x320`."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size in pixels: write 224, or HEIGHTxWIDTH as in 224x320"
        )
    return int(parts[0]), int(parts[-1])


def image(text: str) -> int | str:
    """Return an image id where the text is a number, otherwise a file (`./12` for a file whose name is a number)."""
    return int(text) if text.isdecimal() else text


port = whole(0, MAX_PORT)


def unit(text: str) -> tuple[str, int]:
    """Read LAYER/UNIT: a layer's name, which may hold slashes, and a unit's number."""
    layer, slash, number = text.rpartition("/")
    if not slash or not layer or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not LAYER/UNIT, such as features.10/17")
    return layer, int(number)


def above_zero(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
