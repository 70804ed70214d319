"""What is said of an image's labels where it has several, and of the classes that a multi-label model predicts."""

from typing import Any

from ...index.labels.columns import (
    CORRECT,
    LABEL_INDICES,
    LABEL_PROBABILITIES,
    LABELS,
    PREDICTED_CLASSES,
    PREDICTED_PROBABILITIES,
)
from ...index.store.store import Store
from ..schemas.base import ImageLabelAnswer, ImagePredictionAnswer


def image_labels(store: Store, row: dict[str, Any]) -> list[ImageLabelAnswer] | None:
    """Return the labels of a row of images/; None where the store has one for each image, or this one has none."""
    if LABEL_INDICES not in row and LABELS not in row:
        return None
    labels = row[LABELS] if LABELS in row else [row["label"]] if row["label"] is not None else None
    if labels is None:
        return None
    nothing = [None] * len(labels)
    indices, probabilities = (row.get(name) or nothing for name in (LABEL_INDICES, LABEL_PROBABILITIES))
    predicted = _predicted(row)
    return [
        ImageLabelAnswer(
            label=label,
            label_index=index,
            label_class=store.class_name(index),
            probability=probability,
            predicted=None if predicted is None or index is None else index in predicted,
        )
        for label, index, probability in zip(labels, indices, probabilities, strict=True)
    ]


def image_predictions(store: Store, row: dict[str, Any]) -> list[ImagePredictionAnswer] | None:
    """Return the classes predicted in a row of images/, the most probable first; None where one is predicted."""
    if row.get(PREDICTED_CLASSES) is None:
        return None
    labels = row.get(LABEL_INDICES)
    pairs = zip(row[PREDICTED_CLASSES], row[PREDICTED_PROBABILITIES], strict=True)
    return [
        ImagePredictionAnswer(
            predicted=index,
            predicted_class=store.class_name(index),
            probability=probability,
            labelled=None if labels is None else index in labels,
        )
        for index, probability in sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    ]


def is_correct(row: dict[str, Any]) -> bool | None:
    """Return whether a row of images/ is predicted correctly; None where that is not known."""
    if CORRECT in row:
        return row[CORRECT]
    if row["label_index"] is None or row["predicted"] is None:
        return None
    return bool(row["label_index"] == row["predicted"])


def _predicted(row: dict[str, Any]) -> list[int] | None:
    if PREDICTED_CLASSES in row:
        return row[PREDICTED_CLASSES]
    return None if row.get("predicted") is None else [row["predicted"]]
