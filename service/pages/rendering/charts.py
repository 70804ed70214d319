"""Charts as numbers for SVG: the histogram of a unit's maxima, bars of classes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 600.0, 140.0
"""Of a histogram's drawing, in its own units."""


class Bar(NamedTuple):
    """x, y, width, height in the drawing. images: how many lie from `low` up to `high`."""

    x: float
    y: float
    width: float
    height: float
    images: int
    low: float
    high: float


class Bars(NamedTuple):
    """zero: where 0 lies in the drawing, None outside. most: the largest count."""

    bars: list[Bar]
    zero: float | None
    most: int
    low: float
    high: float


def bars(edges: Sequence[float], counts: Sequence[int]) -> Bars:
    """Return a histogram whose heights grow with the square root of the counts, so that rare strong images can be seen.

    edges: one more than counts, ascending.
    """
    low, high, most = edges[0], edges[-1], max(counts)
    step = WIDTH / len(counts)
    drawn: list[Bar] = []
    for place, count in enumerate(counts):
        height = HEIGHT * math.sqrt(count / most) if most else 0.0
        height = max(height, 1.0) if count else 0.0
        drawn.append(
            Bar(
                round(place * step, 2),
                round(HEIGHT - height, 2),
                round(step * 0.92, 2),
                round(height, 2),
                count,
                edges[place],
                edges[place + 1],
            )
        )
    zero = round(WIDTH * -low / (high - low), 2) if low < 0 < high else None
    return Bars(drawn, zero, most, low, high)


def class_bars(means: Sequence[float | None]) -> list[tuple[float, float]]:
    """Return (x, width) of each bar in a drawing 100 wide; bars of negative means go to the left of 0."""
    values = [mean or 0.0 for mean in means]
    low, high = min([0.0, *values]), max([0.0, *values])
    scale = 100 / (high - low) if high > low else 0.0
    return [(round((min(value, 0.0) - low) * scale, 2), round(abs(value) * scale, 2)) for value in values]
