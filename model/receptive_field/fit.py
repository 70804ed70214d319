"""From the boxes of every position along one axis to one affine receptive field: start, stride, size."""

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from .boxes import EMPTY

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """The boxes of all positions along one axis. low, high: (positions,) int64 input pixels, both inside."""

    low: Places
    high: Places

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(positions,) bool: which positions see anything."""
        return (self.low < EMPTY) & (self.high > -EMPTY)

    def sees_all(self, length: int) -> bool:
        """Return whether every position sees all pixels of an axis."""
        return bool((self.low <= 0).all() and (self.high >= length - 1).all())


@dataclass(frozen=True)
class Line:
    """Position p sees start + p*stride … + size - 1."""

    start: int
    stride: int
    size: int

    @property
    def stop(self) -> int:
        """The last pixel that position 0 sees."""
        return self.start + self.size - 1

    def covers(self, interval: Interval) -> bool:
        """Return whether every position's box lies within the line's."""
        first = self.start + self.stride * np.arange(len(interval.low))
        return bool((first <= interval.low).all() and (first + self.size - 1 >= interval.high).all())


@dataclass(frozen=True)
class Profile:
    """One layer along one axis. exact boxes stop where the data stops, affine ones go on past the border."""

    exact: Interval
    affine: Interval
    local_exact: Interval
    local_affine: Interval
    step: float


def fit(profile: Profile, length: int, *, has_grid: bool) -> tuple[Line, int]:
    """Return the line of the receptive field, and the size of the local one.

    profile: the layer along this axis of `length` input pixels. has_grid: False for vectors, which have no stride.

    Where affine boxes lie on a line with a stride, that is the answer. Elsewhere (adaptive pooling, upsampling, global
    gates, attention) it is the smallest line that covers every position's exact box, with the stride of the local
    boxes; if all positions see the whole axis the line is centred on the local one, so that a position keeps its place.
    """
    if not profile.exact.seen.any():
        return Line(0, 0, length), length
    if not has_grid:
        true = _cover(profile.exact, 0)
        return true, _cover(profile.local_exact, 0).size if profile.local_exact.seen.any() else true.size
    local = _local(profile, length)
    true = _true(profile, length, local)
    return true, true.size if local is None else min(local.size, true.size)


def _true(profile: Profile, length: int, local: Line | None) -> Line:
    line = _straight(profile.affine, profile.step)
    if line is not None and line.stride > 0 and line.covers(profile.exact):
        return line
    if local is None:
        return _smallest(profile.exact, profile.affine, profile.step)
    line = _cover(profile.exact, local.stride)
    return _centred(line, local) if profile.exact.sees_all(length) and local.stride else line


def _local(profile: Profile, length: int) -> Line | None:
    """Return the line of the local boxes; None where nothing local is seen (a class token).

    Positions that all see everything even locally (a token mixer) still have places: a grid over the whole axis.
    """
    if not profile.local_exact.seen.any():
        return None
    line = _straight(profile.local_affine, profile.step)
    if line is not None and line.stride > 0 and line.covers(profile.local_exact):
        return line
    line = _smallest(profile.local_exact, profile.local_affine, profile.step)
    spread = profile.step * (len(profile.local_exact.low) - 1)
    if line.stride == 0 and profile.local_exact.sees_all(length) and 0 < spread < length:
        return _cover(profile.local_exact, round(profile.step))
    return line


def _straight(interval: Interval, step: float) -> Line | None:
    """Return the line that the boxes lie on exactly, if there is one with an integer stride."""
    if not interval.seen.all():
        return None
    size = int(interval.high[0] - interval.low[0]) + 1
    if len(interval.low) == 1:
        return Line(int(interval.low[0]), round(step), size)
    stride = int(interval.low[1] - interval.low[0])
    on_line = (np.diff(interval.low) == stride).all() and (np.diff(interval.high) == stride).all()
    return Line(int(interval.low[0]), stride, size) if on_line else None


def _smallest(exact: Interval, affine: Interval, step: float) -> Line:
    """Return the smallest line that covers the exact boxes; its stride is the boxes' mean slope, rounded down or up."""
    slope = _slope(affine if affine.seen.all() else exact, step)
    lines = [
        _cover(exact, stride)
        for stride in sorted({floor(slope), -floor(-slope)}, key=lambda s: abs(s - slope))
    ]
    return min(lines, key=lambda line: line.size)


def _slope(interval: Interval, step: float) -> float:
    if len(interval.low) == 1:
        return step
    places = np.flatnonzero(interval.seen)
    if len(places) == 1:
        return step
    middle = (interval.low + interval.high) / 2
    return max(0.0, float((middle[places[-1]] - middle[places[0]]) / (places[-1] - places[0])))


def _cover(exact: Interval, stride: int) -> Line:
    """Return the smallest line with this stride that covers every box that is not empty."""
    shift = stride * np.flatnonzero(exact.seen)
    start = int((exact.low[exact.seen] - shift).min())
    stop = int((exact.high[exact.seen] - shift).max())
    return Line(start, stride, stop - start + 1)


def _centred(line: Line, local: Line) -> Line:
    """Return `line` made larger so that it has the centre of `local` and holds it."""
    twice_centre = local.start + local.stop
    start = min(line.start, local.start, twice_centre - line.stop)
    return Line(start, line.stride, twice_centre - 2 * start + 1)
