"""Each unit's statistics of its per-image maxima: make them from values, merge two. Pure; no I/O.

All sums are float64. Merging follows T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise
algorithm for computing sample variances" (1979), equations 1.5: exact up to rounding, so merge in shard order to get
the same bits each time. Where NaN and infinities are allowed in at all, the statistics are over a unit's finite values.
"""

from dataclasses import dataclass

import numpy as np

_BLOCK = 2**17
"""Values looked at together: 1 MiB of float64, which stays in the processor's cache."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of some images. images: how many; finite: (units,) int64, of how many the value is finite.

    means, squares (sums of squared distances from the mean): (units,) float64; minima, maxima: (units,) float32, inf
    and -inf where no value is finite; active: (units,) int64, images with a finite value above 0. All of finite values.
    """

    images: int
    means: np.ndarray
    squares: np.ndarray
    minima: np.ndarray
    maxima: np.ndarray
    active: np.ndarray
    finite: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> "Statistics":
        """Measure values. values: (images, units) float."""
        return Statistics.of_units(np.ascontiguousarray(values.T, dtype=np.float32))

    @staticmethod
    def of_units(values: np.ndarray) -> "Statistics":
        """Measure values. values: (units, images) float32. A unit's result does not depend on the units beside it."""
        units, images = values.shape
        result = Statistics.empty(units, images)
        if not images:
            return result
        step = max(1, _BLOCK // images)
        for first in range(0, units, step):
            rows = slice(first, min(first + step, units))
            block = values[rows]
            result.minima[rows] = block.min(axis=1)
            result.maxima[rows] = block.max(axis=1)
            if not (np.isfinite(result.minima[rows]) & np.isfinite(result.maxima[rows])).all():
                result._measure_finite(rows, block)
                continue
            result.finite[rows] = images
            result.active[rows] = np.count_nonzero(block > 0, axis=1)
            distances = block.astype(np.float64)
            means = distances.sum(axis=1) / images
            distances -= means[:, None]
            result.means[rows] = means
            result.squares[rows] = np.einsum("ij,ij->i", distances, distances)
        return result

    def _measure_finite(self, rows: slice, block: np.ndarray) -> None:
        """Measure some units of which one has a value that is not finite, each by itself."""
        for unit, values in enumerate(block, rows.start):
            known = values[np.isfinite(values)]
            self.finite[unit] = len(known)
            self.minima[unit] = known.min(initial=np.float32(np.inf))
            self.maxima[unit] = known.max(initial=np.float32(-np.inf))
            self.active[unit] = np.count_nonzero(known > 0)
            distances = known.astype(np.float64)[None]
            means = distances.sum(axis=1) / max(1, len(known))
            distances -= means[:, None]
            self.means[unit] = means[0]
            self.squares[unit] = np.einsum("ij,ij->i", distances, distances)[0]

    @staticmethod
    def empty(units: int, images: int = 0) -> "Statistics":
        """Return that of no finite values: the neutral element of `merge` where there are no images."""
        return Statistics(
            images,
            np.zeros(units),
            np.zeros(units),
            np.full(units, np.inf, np.float32),
            np.full(units, -np.inf, np.float32),
            np.zeros(units, np.int64),
            np.zeros(units, np.int64),
        )

    @property
    def nonfinite(self) -> np.ndarray:
        """(units,) int64: images whose value is NaN or infinite."""
        return self.images - self.finite

    @property
    def std(self) -> np.ndarray:
        """(units,) float64: the population's standard deviation (divided by the number of finite values)."""
        return np.sqrt(self.squares / np.maximum(1, self.finite))

    @property
    def active_share(self) -> np.ndarray:
        """(units,) float64: the share of the finite values that are above 0."""
        return self.active / np.maximum(1, self.finite)


def merge(a: Statistics, b: Statistics) -> Statistics:
    """Return the statistics of the images of `a` and `b`, which have the same units and no image in common."""
    if not a.images or not b.images:
        return a if not b.images else b
    finite = a.finite + b.finite
    all_of_them = np.maximum(1, finite)
    distance = b.means - a.means
    means = a.means + distance * (b.finite / all_of_them)
    squares = a.squares + b.squares + distance * distance * (a.finite * b.finite / all_of_them)
    return Statistics(
        a.images + b.images,
        np.where(a.finite == 0, b.means, np.where(b.finite == 0, a.means, means)),
        np.where(a.finite == 0, b.squares, np.where(b.finite == 0, a.squares, squares)),
        np.minimum(a.minima, b.minima),
        np.maximum(a.maxima, b.maxima),
        a.active + b.active,
        finite,
    )
