"""From logits to the predicted class, its probability and the cross-entropy."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """predicted: (n,) int32, the first of the largest logits. probability: (n,) float32, its softmax.

    loss: (n,) float32, the cross-entropy in nats against the label, NaN where the label is unknown.
    """

    predicted: np.ndarray
    probability: np.ndarray
    loss: np.ndarray


def predict(logits: np.ndarray, labels: np.ndarray) -> Predictions:
    """logits: (n, classes) float32; labels: (n,) int, -1 where unknown or outside the classes. In float64 inside."""
    wide = logits.astype(np.float64)
    rows = np.arange(len(wide))
    predicted = wide.argmax(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = wide - wide.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(shifted).sum(axis=1))
        known = (labels >= 0) & (labels < wide.shape[1])
        loss = np.where(known, log_total - shifted[rows, np.where(known, labels, 0)], np.nan)
        probability = np.exp(shifted[rows, predicted] - log_total)
    return Predictions(predicted.astype(np.int32), probability.astype(np.float32), loss.astype(np.float32))
