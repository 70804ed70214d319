"""Windows around measured centres: where the positions of a layer see, and how large a window holds most of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .receptive_field import ReceptiveField

SHARE = 0.9
"""The share of the energy that a view holds."""
WHOLE = 0.5
"""Draw a window that covers more of the input than this is shown as the whole input."""
GAIN = 0.05
"""By how much smaller a more complicated rule for the centres must make the window to be taken."""
TABLED = 8
"""Along an axis of so many positions at most each may have a centre of its own."""
ENOUGH = 4
"""Samples that a position needs for a centre of its own."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """What the positions of a layer do see, in pixels of the model's input.

    Position (y, x) sees rows rows[y] … + height - 1 and columns columns[x] … + width - 1, not clipped to the input.
    """

    height: int
    width: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """One image's gradient. energy: (height, width), not normalised. position: the unit's first maximum."""

    energy: NDArray[np.floating]
    position: tuple[int, int]

    @cached_property
    def small(self) -> "Sample":
        """The same in float32, to be kept."""
        return Sample(self.energy.astype(np.float32), self.position)


@dataclass(frozen=True)
class Centres:
    """Twice the centre of each position's window, so that centres between pixels are whole numbers.

    rows: (grid height,) int64; columns: (grid width,) int64.
    """

    rows: Ints
    columns: Ints

    @staticmethod
    def nominal(field: ReceptiveField, grid: tuple[int, int]) -> "Centres":
        """Return the centres of the receptive fields."""
        rows = 2 * (field.start_y + field.stride_y * np.arange(grid[0])) + field.height - 1
        columns = 2 * (field.start_x + field.stride_x * np.arange(grid[1])) + field.width - 1
        return Centres(rows.astype(np.int64), columns.astype(np.int64))


@dataclass(frozen=True)
class Windows:
    """Windows of growing size around given centres, until one holds the whole input from every position.

    field: gives the windows' aspect, that of the receptive field clipped to the input. input_size: (height, width).
    Window t, from 0, has t + 1 pixels along the longer side, and as many along the other as the aspect says, rounded
    up. A window of `size` rows around the doubled centre c begins at row (c - size + 1) // 2.
    """

    field: ReceptiveField
    input_size: tuple[int, int]
    centres: Centres

    @cached_property
    def sizes(self) -> tuple[Ints, Ints]:
        """Heights and widths: (windows,) int64 each."""
        aspect = [
            max(1, min(size, length))
            for size, length in zip((self.field.height, self.field.width), self.input_size, strict=True)
        ]
        longer = max(aspect)
        reach = [
            _reach(centres, length)
            for centres, length in zip(
                (self.centres.rows, self.centres.columns), self.input_size, strict=True
            )
        ]
        steps = max(-(-far * longer // side) for far, side in zip(reach, aspect, strict=True))
        counts = np.arange(1, steps + 1, dtype=np.int64)
        heights, widths = (-(-counts * side // longer) for side in aspect)
        return heights, widths

    def first(self, position: tuple[int, int]) -> Ints:
        """Return for each pixel, (height, width) int64, the smallest window around the position that holds it."""
        heights, widths = self.sizes
        rows = _first_along(np.arange(self.input_size[0]), int(self.centres.rows[position[0]]), heights)
        columns = _first_along(np.arange(self.input_size[1]), int(self.centres.columns[position[1]]), widths)
        return np.minimum(np.maximum(rows[:, None], columns[None, :]), len(heights) - 1)

    def area(self, number: int, positions: Sequence[tuple[int, int]]) -> float:
        """Return the mean number of input pixels in window `number` around these positions."""
        spans: list[NDArray[np.float64]] = []
        axes = (self.centres.rows, self.centres.columns)
        for axis, (centres, sizes) in enumerate(zip(axes, self.sizes, strict=True)):
            at = centres[[position[axis] for position in positions]]
            low = (at - sizes[number] + 1) // 2
            high = np.minimum(low + sizes[number], self.input_size[axis])
            spans.append(np.maximum(high - np.maximum(low, 0), 0).astype(np.float64))
        return float(np.mean(spans[0] * spans[1]))

    def view(self, number: int) -> View:
        """Return window `number` at every position."""
        height, width = (int(sizes[number]) for sizes in self.sizes)
        rows = (self.centres.rows - height + 1) // 2
        columns = (self.centres.columns - width + 1) // 2
        return View(height, width, tuple(rows.tolist()), tuple(columns.tolist()))


def _reach(centres: Ints, length: int) -> int:
    """Return the size of the smallest window that holds the whole axis around every centre."""
    return max(2 * length - int(centres.min()), int(centres.max()) + 1, length)


def _first_along(pixels: Ints, centre: int, sizes: Ints) -> Ints:
    """Return (pixels,) int64: the first size whose interval around the doubled centre holds each pixel."""
    low = (centre - sizes + 1) // 2
    reach_down = np.searchsorted(-low, -pixels)
    reach_up = np.searchsorted(low + sizes - 1, pixels)
    return np.maximum(reach_down, reach_up)


class Energy:
    """How much of the energy each window of a family holds; a sum over samples."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.positions: list[tuple[int, int]] = []
        self._added = np.zeros(len(windows.sizes[0]))

    def add(self, sample: Sample) -> None:
        """Add one sample; one without energy, or with one that is not finite, does not count."""
        total = float(sample.energy.sum(dtype=np.float64))
        if not (np.isfinite(total) and total > 0):
            return
        first = self.windows.first(sample.position)
        weights = (sample.energy.astype(np.float64) / total).ravel()
        self._added += np.bincount(first.ravel(), weights, minlength=len(self._added))
        self.positions.append(sample.position)

    @property
    def counted(self) -> int:
        """The samples that count."""
        return len(self.positions)

    def shares(self) -> NDArray[np.float64]:
        """Return (windows,) float64: the mean share of the energy that each window holds."""
        return np.cumsum(self._added) / max(self.counted, 1)

    def smallest(self) -> int:
        """Return the number of the smallest window that holds enough; the last one where none does."""
        enough = self.shares() >= SHARE
        return int(enough.argmax()) if enough.any() else len(enough) - 1

    def area(self) -> float:
        """Return the mean number of input pixels in the smallest window that holds enough."""
        return self.windows.area(self.smallest(), self.positions)


def choose_centres(
    field: ReceptiveField, grid: tuple[int, int], input_size: tuple[int, int], samples: Sequence[Sample]
) -> Centres:
    """Return centres that make the window of 90 % of the samples' energy small: the simplest rule that does.

    The rules, from the simplest: the centres of the receptive fields; the same, moved; on a line along each axis; on
    axes of few positions, each position's own. A rule is taken where its window has at least 5 % fewer pixels in the
    input than that of the one before.
    """
    nominal = Centres.nominal(field, grid)
    live = [sample for sample in samples if np.isfinite(sample.energy).all() and sample.energy.any()]
    if not live:
        return nominal
    middles = [_middles(live, axis, length) for axis, length in enumerate(grid)]
    chosen, least = nominal, _area(field, input_size, nominal, live)
    for rule in (_moved, _on_a_line, _each_its_own):
        rows, columns = (
            rule(centres, *found)
            for centres, found in zip((nominal.rows, nominal.columns), middles, strict=True)
        )
        centres = Centres(rows, columns)
        area = _area(field, input_size, centres, live)
        if area < least * (1 - GAIN):
            chosen, least = centres, area
    return chosen


def _area(
    field: ReceptiveField, input_size: tuple[int, int], centres: Centres, samples: Sequence[Sample]
) -> float:
    energy = Energy(Windows(field, input_size, centres))
    for sample in samples:
        energy.add(sample)
    return energy.area()


def _middles(samples: Sequence[Sample], axis: int, length: int) -> tuple[NDArray[np.float64], Ints]:
    """Return twice the middle of the shortest interval with 90 % of the energy at each position along an axis, and
    how many samples it is of: (positions,) float64, NaN where there is none, and (positions,) int64."""
    sums: dict[int, NDArray[np.float64]] = {}
    counts = np.zeros(length, np.int64)
    for sample in samples:
        along = sample.energy.astype(np.float64).sum(axis=1 - axis)
        place = sample.position[axis]
        sums[place] = sums.get(place, 0.0) + along / along.sum()
        counts[place] += 1
    middles = np.full(length, np.nan)
    for place, total in sums.items():
        middles[place] = _shortest_middle(total / counts[place])
    return middles, counts


def _shortest_middle(shares: NDArray[np.float64]) -> float:
    """Return twice the middle of the shortest interval that holds enough; of equally short ones, of the fullest."""
    sums = np.concatenate([[0.0], np.cumsum(shares)])
    stops = np.searchsorted(sums, sums[:-1] + SHARE * sums[-1])
    starts = np.flatnonzero(stops < len(sums))
    lengths = stops[starts] - starts
    held = sums[stops[starts]] - sums[starts]
    best = np.lexsort((-held, lengths))[0]
    return float(starts[best] + stops[starts[best]] - 1)


def _moved(nominal: Ints, middles: NDArray[np.float64], counts: Ints) -> Ints:
    there = counts > 0
    shift = np.average(middles[there] - nominal[there], weights=counts[there])
    return nominal + round(shift)


def _on_a_line(nominal: Ints, middles: NDArray[np.float64], counts: Ints) -> Ints:
    """Return the weighted least squares line, no steeper than the nominal one and not falling."""
    there = np.flatnonzero(counts)
    if len(there) < 2:
        return _moved(nominal, middles, counts)
    mean_place = np.average(there, weights=counts[there])
    mean_middle = np.average(middles[there], weights=counts[there])
    away = there - mean_place
    slope = np.average(away * (middles[there] - mean_middle), weights=counts[there])
    slope /= np.average(away**2, weights=counts[there])
    slope = float(np.clip(slope, 0, max(0, nominal[-1] - nominal[0]) / (len(nominal) - 1)))
    return np.rint(mean_middle + slope * (np.arange(len(nominal)) - mean_place)).astype(np.int64)


def _each_its_own(nominal: Ints, middles: NDArray[np.float64], counts: Ints) -> Ints:
    line = _on_a_line(nominal, middles, counts)
    if len(nominal) > TABLED:
        return line
    return np.where(counts >= ENOUGH, np.rint(np.nan_to_num(middles)), line).astype(np.int64)
