"""What questions about many images at once read of `images/`: labels as numbers, predictions, losses; as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from ..common.errors import ImageStatus
from .store import Store

pc: Any = pyarrow.compute  # its functions are made at import, where no type checker sees them

_COLUMNS = ("label", "label_index", "predicted", "probability", "loss", "status")


@dataclass(frozen=True)
class ImageColumns:
    """labels: those of classes.parquet, in its order.

    codes: (images,) int32 indices into `labels`, -1 for none. label_index, predicted: (images,) int32, -1 for none.
    probability, loss: (images,) float32, NaN for none. ok: (images,) bool.
    """

    labels: tuple[str, ...]
    codes: np.ndarray
    label_index: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    loss: np.ndarray
    ok: np.ndarray

    @staticmethod
    def read(store: Store) -> "ImageColumns":
        """One pass over a few columns of `images/`."""
        classes = store.classes_table()
        labels = pa.array([], pa.string()) if classes is None else classes["label"].combine_chunks()
        table = store.images(_COLUMNS)
        codes = pc.index_in(table["label"], value_set=labels)
        return ImageColumns(
            labels=tuple(labels.to_pylist()),
            codes=_numbers(codes, -1),
            label_index=_numbers(table["label_index"], -1),
            predicted=_numbers(table["predicted"], -1),
            probability=_numbers(table["probability"], np.nan),
            loss=_numbers(table["loss"], np.nan),
            ok=pc.equal(table["status"], ImageStatus.OK.value).to_numpy(),
        )

    @property
    def right(self) -> np.ndarray:
        """(images,) float64: 1 for those taken for what they are, 0 for others; NaN where that is not known."""
        known = (self.label_index >= 0) & (self.predicted >= 0)
        return np.where(known, self.label_index == self.predicted, np.nan)

    @property
    def finite_loss(self) -> np.ndarray:
        """(images,) float32: the loss, NaN where it is not finite."""
        return np.where(np.isfinite(self.loss), self.loss, np.nan)

    @property
    def bytes(self) -> int:
        """In memory."""
        arrays = (self.codes, self.label_index, self.predicted, self.probability, self.loss, self.ok)
        return sum(array.nbytes for array in arrays) + 100 * len(self.labels)


def _numbers(column: pa.ChunkedArray, none: float) -> np.ndarray:
    return column.fill_null(pa.scalar(none, column.type)).to_numpy()
