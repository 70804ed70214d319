"""Pearson's correlation of every two units of a layer over all images, in bounded memory.

The maxima are read a row group at a time; what is held beside one is the sums. The same for any number of threads: each
sum is made by one thread, in the order of the images.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ...common.errors import ImageStatus, UsageError
from ...common.progress import SILENT, Progress
from ..store.store import Store

MOST_UNITS = 16_384
"""Their correlations are 2 GiB."""
_BLOCK_NUMBERS = 4 << 20
_TILE = 256


@dataclass(frozen=True)
class Correlations:
    """matrix: (units, units) float64, from -1 to 1; 0 where one of the two does not vary.

    varies: (units,) bool: the finite maxima are not all equal. finite: (units,) bool: some are finite. images: how many
    were looked at, all that are ok. A maximum that is not finite counts as the unit's mean: images that two units share
    decide, and the matrix stays positive semidefinite.
    """

    matrix: np.ndarray
    varies: np.ndarray
    finite: np.ndarray
    images: int


def correlate(store: Store, layer: str, *, threads: int = 1, progress: Progress = SILENT) -> Correlations:
    """Correlate all units of a layer. Raises LayerError, and UsageError for a layer of more than MOST_UNITS units."""
    units = store.layer(layer).units
    if units > MOST_UNITS:
        raise UsageError(f"layer {layer} has {units:,} units: at most {MOST_UNITS:,} can be correlated")
    about = store.units(layer)["mean"].to_numpy(zero_copy_only=False).astype(np.float64)
    sums = _Sums(np.where(np.isfinite(about), about, 0), threads)
    with progress.stage("correlating units", store.manifest.counts["ok"], "images") as stage:
        for block in _blocks(store, layer):
            sums.add(block)
            stage.advance(block.shape[1])
    return sums.result()


def _blocks(store: Store, layer: str) -> Iterator[np.ndarray]:
    """Yield (units, n) float32: the maxima of the images that are ok, in their order."""
    ok = store.images(["status"])["status"].to_numpy() == ImageStatus.OK
    step = max(1, _BLOCK_NUMBERS // store.layer(layer).units)
    for first, images in store.maxima_groups(layer):
        ids = first + np.flatnonzero(ok[first : first + images])
        values = store.maxima_of_layer(layer, ids)
        for start in range(0, len(ids), step):
            yield values[:, start : start + step]


class _Sums:
    """Sums of the maxima less `about`, and of their products, in float64; shifting keeps the digits that count."""

    def __init__(self, about: np.ndarray, threads: int) -> None:
        units = len(about)
        self._about = about[:, None]
        self._sums, self._products = np.zeros(units), np.zeros((units, units))
        self._finite = np.zeros(units, bool)
        self._low, self._high = np.full(units, np.inf), np.full(units, -np.inf)
        self._images = 0
        self._threads = threads

    def add(self, block: np.ndarray) -> None:
        """Add a block. block: (units, n) float32."""
        wide = block.astype(np.float64)
        finite = np.isfinite(block)
        if finite.all():
            self._finite[:] = True
            self._low = np.minimum(self._low, block.min(axis=1))
            self._high = np.maximum(self._high, block.max(axis=1))
            wide -= self._about
        else:
            self._finite |= finite.any(axis=1)
            self._low = np.minimum(self._low, np.where(finite, block, np.inf).min(axis=1))
            self._high = np.maximum(self._high, np.where(finite, block, -np.inf).max(axis=1))
            wide = np.where(finite, wide, self._about) - self._about
        self._sums += wide.sum(axis=1)
        self._images += block.shape[1]
        starts = range(0, len(wide), _TILE)
        tiles = [(row, column) for row in starts for column in starts if row <= column]

        def multiply(tile: tuple[int, int]) -> None:
            rows, columns = (slice(start, start + _TILE) for start in tile)
            self._products[rows, columns] += wide[rows] @ wide[columns].T

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(multiply, tiles))

    def result(self) -> Correlations:
        varies = self._finite & (self._low < self._high)
        upper = np.triu(self._products)
        products = upper + np.triu(upper, 1).T
        products -= np.outer(self._sums, self._sums) / max(1, self._images)
        lengths = np.sqrt(np.where(varies, np.maximum(products.diagonal(), 0), 0))
        varies &= lengths > 0
        scale = np.where(varies, lengths, np.inf)
        products /= np.outer(scale, scale)
        np.clip(products, -1, 1, out=products)
        np.fill_diagonal(products, varies.astype(float))
        return Correlations(products, varies, self._finite, self._images)
