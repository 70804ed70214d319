"""Finds the unit that found the mark, from nothing but what a finished store holds: maxima and the `marked` column."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.errors import UsageError

Maxima = NDArray[np.float32]
Marked = NDArray[np.bool_]

PAGE = 9


@dataclass(frozen=True)
class MarkUnit:
    """A unit and how well its maxima tell images with the mark from images without.

    auroc: the chance that a marked image has the larger maximum. average_precision: 1 when all marked images come
    first. strongest: how many of the nine strongest images are marked.
    """

    layer: str
    unit: int
    auroc: float
    average_precision: float
    strongest: int


def mark_unit(maxima: Mapping[str, Maxima], marked: Marked) -> MarkUnit:
    """Return the unit, of all the layers given, whose strongest images are most purely the marked ones.

    By average precision, not AUROC: a person looks at the strongest patches, and AUROC hardly feels a few strangers
    among those. Give conv layers, whose patches are small enough to show what was found, and every image of the
    audited part. maxima: (images, units) of each layer, rows without NaN; marked: (images,).
    """
    best: MarkUnit | None = None
    for layer, values in maxima.items():
        precision = average_precision(values, marked)
        unit = int(precision.argmax())
        if best is None or precision[unit] > best.average_precision:
            column = values[:, unit : unit + 1]
            strongest = int(marked[_strongest_first(column)[:PAGE, 0]].sum())
            best = MarkUnit(layer, unit, float(auroc(column, marked)[0]), float(precision[unit]), strongest)
    if best is None:
        raise UsageError("no layer to look for the mark in; give the maxima of at least one")
    return best


def auroc(maxima: Maxima, marked: Marked) -> NDArray[np.float64]:
    """Return (units,): the chance that a marked image's maximum is above an unmarked one's, ties counted half.

    The Mann-Whitney statistic from ranks. maxima: (images, units); marked: (images,).
    """
    _check(maxima, marked)
    ranks = np.stack([_ranks(column) for column in maxima.T], axis=1)
    ours, others = int(marked.sum()), int((~marked).sum())
    return (ranks[marked].sum(axis=0) - ours * (ours + 1) / 2) / (ours * others)


def average_precision(maxima: Maxima, marked: Marked) -> NDArray[np.float64]:
    """Return (units,): the mean, over the marked images, of the marked share among all images at least as strong.

    Images are ordered as everywhere: value descending, then row ascending. maxima: (images, units); marked: (images,).
    """
    _check(maxima, marked)
    hits = marked[_strongest_first(maxima)]
    precision = hits.cumsum(axis=0) / np.arange(1, len(marked) + 1)[:, None]
    return (precision * hits).sum(axis=0) / marked.sum()


def _strongest_first(maxima: Maxima) -> NDArray[np.int64]:
    return np.argsort(-maxima, axis=0, kind="stable")


def _ranks(column: Maxima) -> NDArray[np.float64]:
    """Return 1-based ranks, equal values share the mean of theirs."""
    _, group, sizes = np.unique(column, return_inverse=True, return_counts=True)
    last = sizes.cumsum()
    return (last - (sizes - 1) / 2)[group]


def _check(maxima: Maxima, marked: Marked) -> None:
    if maxima.ndim != 2 or marked.shape != maxima.shape[:1]:
        raise UsageError(
            f"maxima {maxima.shape} and marked {marked.shape} differ in images; give one row per image"
        )
    if np.isnan(maxima).any():
        raise UsageError("maxima hold NaN, as failed images have; leave those rows out")
    if marked.all() or not marked.any():
        raise UsageError(f"{int(marked.sum())} of {len(marked)} images are marked; both kinds are needed")
