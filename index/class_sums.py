"""Sums of a block's maxima by label, for the class selectivity of units. Pure; no I/O."""

import numpy as np

_BLOCK = 2**17
"""Values looked at together, which then stay in the processor's cache."""


def class_sums(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """(units, count) float64: for each label the sum of max(value, 0), image by image in their order.

    values: (units, images) float32; labels: (images,) integer below `count`, negative where an image has none.
    """
    units, images = values.shape
    sums = np.zeros((units, count))
    if not images or not count:
        return sums
    places = np.where(labels < 0, count, labels).astype(np.intp)
    step = max(1, _BLOCK // images)
    for first in range(0, units, step):
        positive = np.maximum(values[first : first + step], 0).astype(np.float64)
        for row, one in zip(sums[first : first + step], positive, strict=True):
            row[:] = np.bincount(places, weights=one, minlength=count + 1)[:count]
    return sums
