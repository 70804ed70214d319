"""Each unit's k strongest images, exactly: select them from values, and merge two selections. Pure; no I/O.

The order is (value descending, image_id ascending), so ties have one answer; 0.0 and -0.0 are equal. Where NaN is
allowed in at all it stands after every number. `merge` is associative, commutative and idempotent: an image that is
in both selections counts once.
"""

from dataclasses import dataclass

import numpy as np

NO_IMAGE = -1
"""The image_id of an empty place, which stands after all others; its value is NaN and its position 0."""

_GROUP = 16
"""Values whose largest stands for them when the k-th value is looked for."""
_BLOCK = 2**18
"""Values looked at together: 1 MiB of float32, which stays in the processor's cache."""


@dataclass(frozen=True)
class TopK:
    """values: (units, places) float32; image_ids: (units, places) int64; positions: (units, places) int32, flat.

    places is at most k; fewer where there are fewer images.

    >>> import numpy as np
    >>> from unitscope.index.stats import TopK
    >>> maxima = np.array([[1, 5], [9, 2], [4, 2]], np.float32)  # (images, units)
    >>> TopK.of(maxima, np.arange(3), None, k=2).image_ids
    array([[1, 2],
           [0, 1]])
    """

    values: np.ndarray
    image_ids: np.ndarray
    positions: np.ndarray

    def __post_init__(self) -> None:
        assert self.values.shape == self.image_ids.shape == self.positions.shape
        assert self.values.dtype == np.float32
        assert self.image_ids.dtype == np.int64
        assert self.positions.dtype == np.int32

    @staticmethod
    def of(values: np.ndarray, image_ids: np.ndarray, positions: np.ndarray | None, k: int) -> "TopK":
        """Return the k strongest images of each unit.

        values: (images, units) float; image_ids: (images,) int64, ascending; positions: (images, units) integer, flat,
        or None for units without positions.
        """
        flat = None if positions is None else positions.T
        return TopK.of_units(np.ascontiguousarray(values.T, dtype=np.float32), image_ids, flat, k)

    @staticmethod
    def of_units(values: np.ndarray, image_ids: np.ndarray, positions: np.ndarray | None, k: int) -> "TopK":
        """Make it as `of` does, from unit-major arrays. values: (units, images) float32; positions: (units, images)."""
        assert np.all(image_ids[1:] > image_ids[:-1]), "image ids ascend"
        units, images = values.shape
        places = min(k, images)
        chosen = np.zeros((units, places), np.int64)
        step = max(1, _BLOCK // max(1, images))
        for first in range(0, units if places else 0, step):
            chosen[first : first + step] = _strongest(values[first : first + step], places)
        rows = np.arange(units)[:, None]
        return TopK(
            values[rows, chosen] + np.float32(0),  # -0.0 becomes 0.0
            image_ids.astype(np.int64)[chosen],
            np.zeros((units, places), np.int32)
            if positions is None
            else positions[rows, chosen].astype(np.int32),
        )

    @staticmethod
    def empty(units: int) -> "TopK":
        """Return the selection from no images: the neutral element of `merge`."""
        return TopK(
            np.zeros((units, 0), np.float32), np.zeros((units, 0), np.int64), np.zeros((units, 0), np.int32)
        )


def merge(a: TopK, b: TopK, k: int) -> TopK:
    """Return the k strongest images of each unit among those of `a` and `b`, which have the same units."""
    if not a.values.shape[1] or not b.values.shape[1]:
        return _first(b if not a.values.shape[1] else a, k)
    values = np.concatenate([a.values, b.values], axis=1)
    ids = np.concatenate([a.image_ids, b.image_ids], axis=1)
    positions = np.concatenate([a.positions, b.positions], axis=1)
    order = _order(values, ids, positions)
    if _may_share_images(a, b):
        sorted_ids = np.take_along_axis(ids, order, axis=1)
        repeated = _repeated(sorted_ids)
        np.put_along_axis(ids, order, np.where(repeated, NO_IMAGE, sorted_ids), axis=1)
        values, positions = np.where(ids < 0, np.float32(np.nan), values), np.where(ids < 0, 0, positions)
        order = _order(values, ids, positions)
    order = order[:, :k]
    return _first(
        TopK(
            np.take_along_axis(values, order, axis=1),
            np.take_along_axis(ids, order, axis=1),
            np.take_along_axis(positions, order, axis=1).astype(np.int32),
        ),
        k,
    )


def _first(top: TopK, k: int) -> TopK:
    """Return the first k places of a selection, without those that are empty in all rows."""
    places = min(k, int((top.image_ids >= 0).sum(axis=1).max(initial=0)))
    return TopK(top.values[:, :places], top.image_ids[:, :places], top.positions[:, :places])


def _order(values: np.ndarray, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return (units, places) indices that put each row in order, empty places last."""
    keys = (positions, np.where(ids < 0, np.iinfo(np.int64).max, ids), -values)
    return np.lexsort(keys, axis=-1)


def _may_share_images(a: TopK, b: TopK) -> bool:
    if not a.image_ids.size or not b.image_ids.size:
        return False
    return bool(a.image_ids.min() <= b.image_ids.max() and b.image_ids.min() <= a.image_ids.max())


def _repeated(ids: np.ndarray) -> np.ndarray:
    """Return (units, places) bool: where an image has stood further left in its row already."""
    order = np.argsort(ids, axis=1, kind="stable")
    ascending = np.take_along_axis(ids, order, axis=1)
    same = np.zeros(ids.shape, bool)
    same[:, 1:] = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)
    repeated = np.empty_like(same)
    np.put_along_axis(repeated, order, same, axis=1)
    return repeated


def _strongest(values: np.ndarray, k: int) -> np.ndarray:
    """Return (units, k) int64: the columns of the k largest of each row, in order. values: (units, images), k <=
    images.

    Few values exceed a lower bound of the k-th largest; only they are sorted. Where fewer than k do, the bound is
    the k-th largest, and the first columns that equal it fill up. Where the bound is not a shortcut, all are sorted.
    """
    images = values.shape[1]
    if images < _GROUP * k:
        keys = _strength_keys(values) | np.arange(images, dtype=np.uint64)
        chosen = np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1)
        return (chosen & np.uint64(2**32 - 1)).astype(np.int64)
    has_nan = np.isnan(values.max(axis=1))
    bound = _lower_bound(values, k)
    bound[has_nan] = np.inf  # nothing exceeds it; these rows are done below
    units, columns = np.divmod(np.flatnonzero(values > bound[:, None]), images)
    missing = k - np.bincount(units, minlength=len(values))
    missing[has_nan] = 0
    for unit in np.flatnonzero(missing > 0):
        equal = np.flatnonzero(values[unit] == bound[unit])[: missing[unit]]
        units = np.concatenate([units, np.full(len(equal), unit)])
        columns = np.concatenate([columns, equal])
    order = np.lexsort((columns, -values[units, columns], units))
    starts = np.searchsorted(units[order], np.arange(len(values)))
    chosen = np.zeros((len(values), k), np.int64)
    plain = ~has_nan
    chosen[plain] = columns[order[starts[plain, None] + np.arange(k)]]
    for unit in np.flatnonzero(has_nan):
        chosen[unit] = np.argsort(-values[unit], kind="stable")[:k]  # sorts NaN last
    return chosen


def _strength_keys(values: np.ndarray) -> np.ndarray:
    """Return uint64 keys that ascend where the values descend, NaN last, with 32 low bits of 0 for what breaks ties.

    The bits of a float, read as an integer, ascend with its size; those of negative ones are turned.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    negative = bits >> 31 == 1
    descending = np.where(negative, bits, bits ^ np.uint32(2**31 - 1))
    descending[np.isnan(values)] = np.uint32(2**32 - 1)
    return descending.astype(np.uint64) << np.uint64(32)


def _lower_bound(values: np.ndarray, k: int) -> np.ndarray:
    """Return (units,) float32: a value that at least k of each row equal or exceed, close to the k-th largest.

    Of disjoint groups, k have a largest value that equals or exceeds the k-th largest of those. There are k groups.
    """
    units, images = values.shape
    groups = images // _GROUP
    largest = values[:, : groups * _GROUP].reshape(units, _GROUP, groups).max(axis=1)
    return np.partition(largest, groups - k, axis=1)[:, groups - k]
