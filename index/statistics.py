"""Each unit's statistics of its per-image maxima: make them from values, merge two. Pure; no I/O.

All sums are float64. Merging follows T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise
algorithm for computing sample variances" (1979), equations 1.5: exact up to rounding, so merge in shard order to get
the same bits each time. A unit with a NaN, where that is allowed in at all, has NaN statistics.
"""

from dataclasses import dataclass

import numpy as np

_BLOCK = 2**17
"""Values looked at together: 1 MiB of float64, which stays in the processor's cache."""


@dataclass(frozen=True)
class Statistics:
    """images: how many have a value. means, squares (sums of squared distances from the mean): (units,) float64;
    minima, maxima: (units,) float32, inf and -inf where there are no images; active: (units,) int64, images with a
    value above 0."""

    images: int
    means: np.ndarray
    squares: np.ndarray
    minima: np.ndarray
    maxima: np.ndarray
    active: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> "Statistics":
        """values: (images, units) float."""
        return Statistics.of_units(np.ascontiguousarray(values.T, dtype=np.float32))

    @staticmethod
    def of_units(values: np.ndarray) -> "Statistics":
        """values: (units, images) float32. A unit's result does not depend on the units beside it."""
        units, images = values.shape
        result = Statistics.empty(units, images)
        if not images:
            return result
        step = max(1, _BLOCK // images)
        with np.errstate(invalid="ignore"):  # inf - inf, where infinities are allowed in
            for first in range(0, units, step):
                stop = min(first + step, units)
                block = values[first:stop]
                result.minima[first:stop] = block.min(axis=1)
                result.maxima[first:stop] = block.max(axis=1)
                result.active[first:stop] = np.count_nonzero(block > 0, axis=1)
                distances = block.astype(np.float64)
                means = distances.sum(axis=1) / images
                distances -= means[:, None]
                result.means[first:stop] = means
                result.squares[first:stop] = np.einsum("ij,ij->i", distances, distances)
        return result

    @staticmethod
    def empty(units: int, images: int = 0) -> "Statistics":
        """Of no images: the neutral element of `merge`."""
        return Statistics(
            images,
            np.zeros(units),
            np.zeros(units),
            np.full(units, np.inf, np.float32),
            np.full(units, -np.inf, np.float32),
            np.zeros(units, np.int64),
        )

    @property
    def std(self) -> np.ndarray:
        """(units,) float64: the population's standard deviation (divided by the number of images)."""
        return np.sqrt(self.squares / max(1, self.images))

    @property
    def active_share(self) -> np.ndarray:
        """(units,) float64: the share of images with a value above 0."""
        return self.active / max(1, self.images)


def merge(a: Statistics, b: Statistics) -> Statistics:
    """The statistics of the images of `a` and `b`, which have the same units and no image in common."""
    if not a.images or not b.images:
        return a if not b.images else b
    images = a.images + b.images
    with np.errstate(invalid="ignore"):
        distance = b.means - a.means
        return Statistics(
            images,
            a.means + distance * (b.images / images),
            a.squares + b.squares + distance * distance * (a.images * b.images / images),
            np.minimum(a.minima, b.minima),
            np.maximum(a.maxima, b.maxima),
            a.active + b.active,
        )
