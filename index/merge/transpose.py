"""Transposes image-major rows into unit-major ones, quickly: the merge spends a tenth of its time here."""

import numpy as np

_WIDE = np.dtype(np.complex128)
"""Sixteen bytes moved as one."""


def transpose_into(target: np.ndarray, rows: np.ndarray) -> None:
    """Do target[...] = rows.T. target: (units, images), contiguous along images; rows: (images, units), C order.

    First whole runs of 16 bytes are moved, then the values within runs: far fewer cache lines are touched twice than
    by a plain transpose, and the time is about half.
    """
    images, units = rows.shape
    run = _WIDE.itemsize // rows.itemsize
    if units % run or not rows.flags.c_contiguous or target.strides[1] != target.itemsize:
        target[...] = rows.T
        return
    runs = np.empty((units // run, images), _WIDE)
    runs[...] = rows.view(_WIDE).T
    inner = runs.view(rows.dtype).reshape(units // run, images, run)
    for first in range(run):
        target[first::run] = inner[:, :, first]
