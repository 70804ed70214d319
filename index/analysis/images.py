"""What questions about many images at once read of `images/`: labels as numbers, predictions, losses; as arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from ...common.errors import ImageStatus
from ..caching.once import OnceCache
from ..compute import pc
from ..labels.codes import NO_LABEL, LabelCodes
from ..labels.columns import CORRECT, LABELS, has_label_lists, list_pairs
from ..stats.distribution import strongest_first
from ..store.store import Store

_COLUMNS = ("probability", "loss", "status")


@dataclass(frozen=True)
class ImageColumns:
    """labels: those of classes.parquet, in its order.

    codes: of each image's label or labels, indices into `labels`. probability, loss: (images,) float32, NaN for none.
    right: (images,) float64: 1 for those predicted correctly, 0 for others; NaN where that is not known.
    ok: (images,) bool.
    """

    labels: tuple[str, ...]
    codes: LabelCodes
    right: np.ndarray
    probability: np.ndarray
    loss: np.ndarray
    ok: np.ndarray

    @staticmethod
    def read(store: Store) -> "ImageColumns":
        """Read a few columns of `images/` once."""
        classes = store.classes_table()
        labels = pa.array([], pa.string()) if classes is None else classes["label"].combine_chunks()
        several = has_label_lists(store.images_schema)
        judged = (CORRECT,) if CORRECT in store.images_schema.names else ("label_index", "predicted")
        table = store.images([*_COLUMNS, LABELS if several else "label", *judged])
        return ImageColumns(
            labels=tuple(labels.to_pylist()),
            codes=_codes(table[LABELS if several else "label"], labels),
            right=_right(table.select(judged)),
            probability=_numbers(table["probability"], np.nan),
            loss=_numbers(table["loss"], np.nan),
            ok=pc.equal(table["status"], ImageStatus.OK.value).to_numpy(),
        )

    @property
    def finite_loss(self) -> np.ndarray:
        """(images,) float32: the loss, NaN where it is not finite."""
        return np.where(np.isfinite(self.loss), self.loss, np.nan)

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        arrays = (self.right, self.probability, self.loss, self.ok)
        return sum(array.nbytes for array in arrays) + self.codes.bytes + 100 * len(self.labels)


def _codes(column: pa.ChunkedArray, labels: pa.Array) -> LabelCodes:
    """Return the codes. column: of labels, or of lists of them."""
    if not pa.types.is_list(column.type):
        return LabelCodes(_numbers(pc.index_in(column, value_set=labels), NO_LABEL))
    rows, elements = list_pairs(column.combine_chunks())
    codes = pc.index_in(elements, value_set=labels).fill_null(NO_LABEL).to_numpy()
    known = codes != NO_LABEL
    return LabelCodes(codes[known], rows[known])


def _right(judged: pa.Table) -> np.ndarray:
    """Return which are correct. judged: `correct`, or `label_index` and `predicted`, which are equal where an image
    is predicted correctly.
    """
    right = judged.column(0) if judged.num_columns == 1 else pc.equal(judged.column(0), judged.column(1))
    return pc.cast(right, pa.float64()).fill_null(np.nan).to_numpy()


def _numbers(column: pa.ChunkedArray, none: float) -> np.ndarray:
    return column.fill_null(pa.scalar(none, column.type)).to_numpy()


def counterparts(store: Store, other: Store) -> np.ndarray:
    """Return (images,) int64: the image_id in `other` of each image of `store`; -1 where it has none."""
    uris = other.images(["uri"])["uri"].combine_chunks()
    found = pc.index_in(store.images(["uri"])["uri"], value_set=uris)
    return found.fill_null(-1).to_numpy().astype(np.int64)


ImageSort = Literal["image_id", "loss", "probability"]


class ImageOrder:
    """The images of one store. Any threads may share it."""

    def __init__(self, store: Store, cache: OnceCache, images: Callable[[], ImageColumns]) -> None:
        self._store, self._cache, self._images = store, cache, images

    def ids(self, where: str | None, sort: ImageSort, *, descending: bool) -> np.ndarray:
        """Return (n,) int64: the images that a filter keeps, failed ones too. Raises FilterError.

        Those without a value stand last; equal ones by image_id.
        """
        kept = self._store.parse_filter(where) if where else None
        key = ("images", kept and kept.canonical, sort, descending)

        def make() -> np.ndarray:
            mask = np.ones(self._store.images_count, bool) if kept is None else self._store.mask(kept)
            found = np.flatnonzero(mask)
            if sort == "image_id":
                return found[::-1] if descending else found
            values = getattr(self._images(), sort)[found]
            return found[strongest_first(values if descending else -values)]

        return self._cache.get(key, make, lambda ids: ids.nbytes)
