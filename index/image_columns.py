"""What questions about many images at once read of `images/`: labels as numbers, predictions, losses; as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from ..common.errors import ImageStatus
from .store import Store

pc: Any = pyarrow.compute  # its functions are made at import, where no type checker sees them

MOST_LABELS = 4096
"""Distinct labels; where there are more, they are no classes."""


@dataclass(frozen=True)
class ImageColumns:
    """labels: distinct, in UTF-8 byte order; none where there are more than MOST_LABELS (then `too_many`).

    codes: (images,) int32 indices into `labels`, -1 for none. label_index, predicted: (images,) int32, -1 for none.
    probability, loss: (images,) float32, NaN for none. ok: (images,) bool.
    """

    labels: tuple[str, ...]
    too_many: bool
    codes: np.ndarray
    label_index: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    loss: np.ndarray
    ok: np.ndarray

    @staticmethod
    def read(store: Store) -> "ImageColumns":
        """One pass over a few columns of `images/`."""
        names = ("label", "label_index", "predicted", "probability", "loss", "status")
        table = store.images(names)
        labels, codes = _codes(table["label"])
        too_many = len(labels) > MOST_LABELS
        return ImageColumns(
            labels=() if too_many else labels,
            too_many=too_many,
            codes=np.full(len(codes), -1, np.int32) if too_many else codes,
            label_index=_numbers(table["label_index"], -1),
            predicted=_numbers(table["predicted"], -1),
            probability=_numbers(table["probability"], np.nan),
            loss=_numbers(table["loss"], np.nan),
            ok=pc.equal(table["status"], ImageStatus.OK.value).to_numpy(),
        )

    @property
    def bytes(self) -> int:
        """In memory."""
        arrays = (self.codes, self.label_index, self.predicted, self.probability, self.loss, self.ok)
        return sum(array.nbytes for array in arrays) + 100 * len(self.labels)


def _codes(column: pa.ChunkedArray) -> tuple[tuple[str, ...], np.ndarray]:
    """(the distinct labels, (rows,) int32 which of them each row has)."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    found: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(found)), key=lambda place: found[place].encode())
    new = np.full(len(found) + 1, -1, np.int32)
    new[order] = np.arange(len(found))
    places = encoded.indices.fill_null(len(found)).to_numpy()
    return tuple(found[place] for place in order), new[places]


def _numbers(column: pa.ChunkedArray, none: float) -> np.ndarray:
    return column.fill_null(pa.scalar(none, column.type)).to_numpy()
