"""Which units of a layer fire together: Pearson's correlation of their maxima over the images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..caching.once import OnceCache
from ..stats.distribution import strongest_first
from ..store.store import Store
from .images import ImageColumns

SAMPLE_BYTES = 256 << 20
"""A layer's maxima (float32) that are more than this are correlated over a sample of the images."""
_FEWEST = 1024
"""Images of a sample, however many units there are."""
_ROWS_BYTES = 4 << 20
_QUICK_BYTES = 4 << 20
"""A layer's maxima (float32) of at most this many bytes are read in some hundredths of a second."""
_UNITS_AT_ONCE = 32


@dataclass(frozen=True)
class Similar:
    """units: (n,) int64, the most similar first; correlations: (n,) float32. images: how many were looked at.

    exact: whether these are all images that did not fail. varies: whether the unit's own maxima differ at all.
    """

    units: np.ndarray
    correlations: np.ndarray
    images: int
    exact: bool
    varies: bool

    @property
    def bytes(self) -> int:
        """In memory."""
        return self.units.nbytes + self.correlations.nbytes + 100


@dataclass(frozen=True)
class _Sample:
    """values: (units, images) float32. norms: (units,) float64, of the values less their mean; 0 where all are equal.

    exact: whether these are all images that did not fail.
    """

    values: np.ndarray
    norms: np.ndarray
    exact: bool


class SimilarUnits:
    """The units of one store. Any threads may share it; it holds at most about SAMPLE_BYTES of maxima."""

    def __init__(self, store: Store, cache: OnceCache, images: Callable[[], ImageColumns]) -> None:
        self._store, self._cache, self._images = store, cache, images
        self._samples = OnceCache(SAMPLE_BYTES + _ROWS_BYTES)

    def of(self, layer: str, unit: int) -> Similar:
        """Return the units of the layer, itself left out, by correlation, descending, then by number. Raises
        LayerError.

        Units whose maxima do not differ, or are never finite, have no correlation and are left out. The first
        question to a layer reads its maxima.
        """
        self._store.check_unit(layer, unit)
        key = ("similar", layer, unit)
        return self._cache.get(key, lambda: self._of(layer, unit), lambda found: found.bytes)

    def is_quick(self, layer: str) -> bool:
        """Return whether a question to the layer is answered at once: its maxima are in memory, or few. Raises
        LayerError.
        """
        units = self._store.layer(layer).units
        return 4 * units * self._store.images_count <= _QUICK_BYTES or self._samples.holds(layer)

    def _of(self, layer: str, unit: int) -> Similar:
        sample = self._samples.get(
            layer, lambda: self._sample(layer), lambda made: made.values.nbytes + made.norms.nbytes
        )
        correlations = _correlations(sample, unit)
        varies = bool(sample.norms[unit] > 0)
        correlations[unit] = np.nan
        order = strongest_first(correlations)[: np.count_nonzero(~np.isnan(correlations))]
        return Similar(order, correlations[order], sample.values.shape[1], sample.exact, varies)

    def _sample(self, layer: str) -> _Sample:
        """Return all images, or as many as there is room for, evenly spread."""
        ids = np.flatnonzero(self._images().ok)
        most = max(_FEWEST, SAMPLE_BYTES // (4 * self._store.layer(layer).units))
        exact = len(ids) <= most
        if not exact:
            ids = ids[np.arange(most) * len(ids) // most]
        values = self._store.maxima_of_layer(layer, ids)
        return _Sample(values, _norms(values), exact)


def _norms(values: np.ndarray) -> np.ndarray:
    norms = np.zeros(len(values))
    for unit, row in enumerate(values):
        known = np.isfinite(row)
        if not known.all():  # such a value counts as the unit's mean, so others decide; the sample is our own
            row[~known] = row[known].mean(dtype=np.float64) if known.any() else 0
        if not known.any():
            norms[unit] = np.nan
        elif row.min() < row.max():
            wide = row.astype(np.float64)
            wide -= wide.mean()
            norms[unit] = np.sqrt(np.einsum("i,i->", wide, wide))
    return norms


def _correlations(sample: _Sample, unit: int) -> np.ndarray:
    """Return (units,) float32, NaN where there is none.

    Summed in float64, by one thread in one order, and rounded once: the answer is the same each time, and equal units
    stay equal. (BLAS would start threads, which under load wait for each other.)
    """
    found = np.full(len(sample.norms), np.nan)
    if sample.norms[unit] > 0:
        own = sample.values[unit].astype(np.float64)
        own -= own.mean()
        own /= sample.norms[unit]
        there = np.flatnonzero(sample.norms > 0)
        for first in range(0, len(there), _UNITS_AT_ONCE):
            some = there[first : first + _UNITS_AT_ONCE]
            # the mean of the other unit falls out, as `own` sums to 0
            wide = sample.values[some].astype(np.float64)
            found[some] = np.einsum("ij,j->i", wide, own) / sample.norms[some]
    return np.clip(found, -1, 1).astype(np.float32)
