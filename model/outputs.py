"""What the output of a network is: scores of classes, probabilities, one score, or nothing that predicts a class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..common.task_names import PREDICTING, Form, Task

THRESHOLD = 0.5
"""From this probability on a label is predicted, where each label is predicted by itself."""

Values = Literal["distribution", "unit", "scores", "unknown"]
"""What the numbers of a row look like: not negative with the sum 1; all in [0, 1]; neither; or none is finite."""


@dataclass(frozen=True)
class OutputKind:
    """What an output is.

    task: what it predicts. form: of its numbers; `probabilities` are taken as they are. alone: each class has a
    probability of its own, by a sigmoid, and they do not sum to 1. why: how this was found out, as a sentence.
    """

    task: Task
    form: Form = "logits"
    alone: bool = False
    why: str = ""

    @property
    def predicts(self) -> bool:
        """Whether classes are predicted."""
        return self.task in PREDICTING

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability of each class: (images, classes) float64, two classes for one score.

        scores: (images, outputs), what the network gave. NaN where they are not finite.
        """
        wide = scores.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            if self.form == "probabilities":
                found = wide
            elif self.alone or self.task == "binary":
                found = 1 / (1 + np.exp(-wide))
            else:
                found = np.exp(wide - wide.max(axis=1, keepdims=True))
                found /= found.sum(axis=1, keepdims=True)
        return np.concatenate([1 - found, found], axis=1) if self.task == "binary" else found

    def log_probabilities(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithms of the probability of each class and of its opposite, exact where they are small.

        (images, outputs) float64 each; the second is that of 1 - p. For one score they are those of the second class.
        """
        wide = scores.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            if self.form == "probabilities":
                return np.log(wide), np.log1p(-wide)
            if self.alone or self.task == "binary":
                return -np.logaddexp(0, -wide), -np.logaddexp(0, wide)
            logs = wide - wide.max(axis=1, keepdims=True)
            logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
            return logs, np.log1p(-np.exp(logs))


def output_kind(stated: Mapping[str, Any] | None, outputs: int | None) -> OutputKind:
    """Return what a manifest or plan states; those of older releases state nothing and took all scores for logits."""
    return OutputKind(**(stated or {"task": "none" if outputs is None else "classification"}))


def read_output(output: object) -> Tensor | None:
    """Return the scores in what a network returned: (images, outputs), a column where each image has one number.

    They are a tensor of two axes or one, the `logits` of a dict or of an object (transformers' ModelOutput), or the
    first of a tuple or list. None where there are none.
    """
    value = output
    if isinstance(value, Mapping):
        value = value.get("logits")
    elif not isinstance(value, Tensor) and not isinstance(value, tuple | list):
        value = getattr(value, "logits", None)
    elif isinstance(value, tuple | list):
        named: object = getattr(value, "logits", None)  # a named tuple, as torchvision's GoogLeNet returns
        first: Any = value[0] if value else None
        value = named if isinstance(named, Tensor) else first
    if not isinstance(value, Tensor):
        return None
    if value.ndim == 1:
        return value[:, None]
    return value if value.ndim == 2 else None


def describe_values(scores: Tensor) -> Values:
    """Return what the rows of scores look like. scores: (images, outputs), of several images that differ.

    Rows that are not finite are left out. A sum may be off by what the scores' precision makes of it.
    """
    precision = torch.finfo(scores.dtype).eps if scores.is_floating_point() else 0.0
    values = scores.detach().double().cpu()
    values = values[values.isfinite().all(dim=1)]
    if not len(values):
        return "unknown"
    if bool((values < -1e-6).any()) or bool((values > 1 + max(1e-6, precision)).any()):
        return "scores"
    if values.shape[1] > 1 and bool(((values.sum(1) - 1).abs() < max(2e-3, 4 * precision)).all()):
        return "distribution"
    return "unit" if bool(((values > 0) & (values < 1)).any()) else "scores"


def noise_images(input_size: tuple[int, int], device: torch.device) -> Tensor:
    """Return (8, 3, height, width): normalised noise, weak and strong, so that only a bounded output stays in its
    bounds.
    """
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn((8, 3, *input_size), generator=generator)
    scales = torch.tensor([0.5, 1, 1, 2, 3, 6, 12, 24.0]).view(-1, 1, 1, 1)
    return (noise * scales).to(device)
