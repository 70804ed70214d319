"""From a network's scores to what they say of each label: for images with several labels, and multi-label models."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...index.labels.columns import CORRECT_FIELD, LABEL_INDICES, PREDICTION_FIELDS
from ...model.outputs import THRESHOLD, OutputKind
from .predictions import mean_binary_loss, predict

_NONE = -1


@dataclass(frozen=True)
class LabelPredictions:
    """What is kept of one image. loss: in nats, None where it is not known; NaN where a score is not finite.

    The other fields are those of `index/labels/columns.py`; None for all that is not known.
    """

    correct: bool | None = None
    label_probabilities: list[float | None] | None = None
    predicted_classes: list[int] | None = None
    predicted_probabilities: list[float] | None = None
    loss: float | None = None


class LabelLists:
    """The classes of each image's labels in one shard, and what a network says of them."""

    def __init__(self, rows: pa.Table, kind: OutputKind) -> None:
        """rows: of the plan, with `label_indices`. kind: of the output."""
        self._indices: list[list[int | None] | None] = rows[LABEL_INDICES].to_pylist()
        self._kind = kind
        self._found = [LabelPredictions()] * rows.num_rows

    @property
    def fields(self) -> tuple[pa.Field, ...]:
        """The columns of the shard that `columns` gives."""
        return (CORRECT_FIELD, *(PREDICTION_FIELDS if self._kind.task == "multi-label" else ()))

    def add(self, start: int, scores: np.ndarray) -> None:
        """Note what is predicted of the images from row `start` on. scores: (images, outputs)."""
        stop = start + len(scores)
        indices = self._indices[start:stop]
        if self._kind.task == "multi-label":
            self._found[start:stop] = predict_labels(scores, indices, self._kind)
            return
        unknown = np.full(len(scores), _NONE)
        predicted = predict(scores, unknown, self._kind).predicted.tolist()
        self._found[start:stop] = [
            LabelPredictions(correct=None if not labels or None in labels else one in labels)
            for one, labels in zip(predicted, indices, strict=True)
        ]

    def losses(self) -> list[float | None]:
        """Return the loss of each image."""
        return [one.loss for one in self._found]

    def columns(self, failed: np.ndarray) -> list[pa.Array]:
        """Return the columns `fields`, null where an image failed. failed: (images,) bool."""
        there = [
            LabelPredictions() if bad else one for one, bad in zip(self._found, failed.tolist(), strict=True)
        ]
        return [pa.array([getattr(one, field.name) for one in there], field.type) for field in self.fields]


def predict_labels(
    scores: np.ndarray, indices: list[list[int | None] | None], kind: OutputKind
) -> list[LabelPredictions]:
    """Return what scores predict of each label, in float64 inside.

    scores: (images, classes); indices: of each image its labels' classes, None within for a label that is not a class.
    The loss is the mean of the binary cross-entropies of all classes.
    """
    shares = kind.probabilities(scores)
    losses = _losses(scores, indices, kind)
    return [_of_image(row, labels, loss) for row, labels, loss in zip(shares, indices, losses, strict=True)]


def _losses(
    scores: np.ndarray, indices: list[list[int | None] | None], kind: OutputKind
) -> list[float | None]:
    """Return None where the labels are not known, or one is not a class."""
    targets = np.zeros(scores.shape, bool)
    for row, labels in enumerate(indices):
        targets[row, [one for one in labels or () if one is not None]] = True
    losses = mean_binary_loss(scores, targets, kind).tolist()
    return [
        None if labels is None or None in labels else loss
        for labels, loss in zip(indices, losses, strict=True)
    ]


def _of_image(shares: np.ndarray, labels: list[int | None] | None, loss: float | None) -> LabelPredictions:
    """Predict one image's classes. shares: (classes,) float64, the probabilities."""
    predicted = np.flatnonzero(shares >= THRESHOLD)
    judged = labels is not None and None not in labels and bool(np.isfinite(shares).all())
    return LabelPredictions(
        correct=set(predicted.tolist()) == set(labels or ()) if judged else None,
        label_probabilities=None
        if labels is None
        else [None if one is None else float(shares[one]) for one in labels],
        predicted_classes=predicted.tolist(),
        predicted_probabilities=shares[predicted].tolist(),
        loss=loss,
    )
