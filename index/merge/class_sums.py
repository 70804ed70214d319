"""Sums of a block's maxima by label, for the class selectivity of units. Pure; no I/O."""

import numpy as np

_BLOCK = 2**17
"""Values looked at together, which then stay in the processor's cache."""


def class_sums(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return (units, count) float64: for each label the sum of max(value, 0) of finite values, image by image in
    their order.

    values: (units, images) float32; labels: (images,) integer below `count`, negative where an image has none.
    """
    units, images = values.shape
    sums = np.zeros((units, count))
    if not images or not count:
        return sums
    places = np.where(labels < 0, count, labels).astype(np.intp)
    step = max(1, _BLOCK // images)
    for first in range(0, units, step):
        block = values[first : first + step]
        positive = np.maximum(block, 0).astype(np.float64)
        if not np.isfinite(positive).all():
            positive[~np.isfinite(block)] = 0
        for row, one in zip(sums[first : first + step], positive, strict=True):
            row[:] = np.bincount(places, weights=one, minlength=count + 1)[:count]
    return sums


def class_missing(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return (units, count) int64: for each label how many values are not finite; (units, 0) where all are.

    values, labels: as in `class_sums`.
    """
    missing = ~np.isfinite(values)
    if not missing.any():
        return np.zeros((len(values), 0), np.int64)
    places = np.where(labels < 0, count, labels).astype(np.intp)
    rows = [np.bincount(places[row], minlength=count + 1)[:count] for row in missing]
    return np.array(rows, np.int64).reshape(len(values), count)


def add_missing(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Add two counts of missing values, as `class_missing` gives them."""
    if a.shape[1] and b.shape[1]:
        return a + b
    return a if a.shape[1] else b
