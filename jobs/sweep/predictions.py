"""From a network's scores to the predicted class, its probability and the loss."""

from dataclasses import dataclass

import numpy as np

from ...model.outputs import OutputKind


@dataclass(frozen=True)
class Predictions:
    """predicted: (n,) int32, the most probable class, of equal ones the first. probability: (n,) float32, its own.

    loss: (n,) float32, in nats: the cross-entropy against the label; where each class has a probability of its own, the
    mean of the binary cross-entropies. NaN where the label is unknown.
    """

    predicted: np.ndarray
    probability: np.ndarray
    loss: np.ndarray


def predict(scores: np.ndarray, labels: np.ndarray, kind: OutputKind) -> Predictions:
    """Return what scores predict. In float64 inside.

    scores: (n, outputs) float32; labels: (n,) int, -1 where unknown or outside the classes. kind: one that predicts one
    class of an image.
    """
    shares = kind.probabilities(scores)
    rows = np.arange(len(shares))
    with np.errstate(invalid="ignore"):
        # By the scores themselves: probabilities of large ones may be equal.
        predicted = (
            shares.argmax(axis=1) if kind.task == "binary" else scores.astype(np.float64).argmax(axis=1)
        )
    known = (labels >= 0) & (labels < shares.shape[1])
    loss = np.where(known, _loss(scores, np.where(known, labels, 0), kind), np.nan)
    return Predictions(
        predicted.astype(np.int32), shares[rows, predicted].astype(np.float32), loss.astype(np.float32)
    )


def _loss(scores: np.ndarray, labels: np.ndarray, kind: OutputKind) -> np.ndarray:
    """Return (n,) float64. labels: (n,) int, each one of the classes."""
    for_it, against = kind.log_probabilities(scores)
    rows = np.arange(len(scores))
    if kind.task == "binary":
        return -np.where(labels == 1, for_it[:, 0], against[:, 0])
    if not kind.alone:
        return -for_it[rows, labels]
    targets = np.zeros(scores.shape, bool)
    targets[rows, labels] = True
    return mean_binary_loss(scores, targets, kind)


def mean_binary_loss(scores: np.ndarray, targets: np.ndarray, kind: OutputKind) -> np.ndarray:
    """Return the mean of the binary cross-entropies of each image's classes, in nats: (images,) float64.

    scores: (images, classes); targets: (images, classes) bool, which classes are labels of the image.
    """
    for_it, against = kind.log_probabilities(scores)
    return -np.where(targets, for_it, against).mean(axis=1)
