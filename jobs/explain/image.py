"""Explains one image by one method."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ...common.errors import UnitscopeError, UsageError
from ...model.explain import fooling
from ...model.explain.gradients import SAMPLES, STEPS, grad_cam, gradient, integrated_gradients, smoothgrad
from ...model.explain.inversion import invert
from ...model.explain.occlusion import Windows, occlusion
from ...model.explain.relu import Rule, gradient_by_rule
from ...model.explain.target import Target, logits, scores
from ...model.layers.layers import Layer
from .subject import Subject

Method = Literal[
    "occlusion",
    "saliency",
    "smoothgrad",
    "integrated-gradients",
    "grad-cam",
    "guided-backprop",
    "deconvnet",
    "inversion",
    "fooling",
]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class Question:
    """What is to be explained. class_name, unit: one of them at most; by default the predicted class.

    unit: of a layer, LAYER/UNIT. layer: for Grad-CAM and inversion; by default the last with a map. epsilon: of
    fooling, in 255ths. fill: of occlusion.
    """

    image_id: int
    method: Method
    class_name: str | None = None
    unit: tuple[str, int] | None = None
    layer: str | None = None
    epsilon: float = 2.0
    fill: Literal["mean", "blur"] = "mean"
    seed: int = 0


@dataclass(frozen=True)
class Explanation:
    """values: (3, height, width) float32 of gradients and images, or (height, width) of maps, in the input's pixels.

    pixels: (3, height, width), what the network sees, from 0 to 1. facts: settings, the score, and what was measured.
    """

    values: np.ndarray
    pixels: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


def explain_image(subject: Subject, asked: Question) -> Explanation:
    """Explain an image.

    Raises UsageError for an unknown class or a method that has no such target, LayerError, NotFoundError, and what
    reading the image raises.
    """
    pixels = subject.pixels([asked.image_id])
    images = subject.normalise(pixels)
    target, facts = _target(subject, asked, images)
    found, more = _HOW[asked.method](_Case(subject, asked, pixels, images, target))
    facts |= {"method": asked.method, "image": asked.image_id, **more}
    return Explanation(found[0].detach().float().cpu().numpy(), pixels[0].numpy(), facts)


def _target(subject: Subject, asked: Question, images: Tensor) -> tuple[Target, dict[str, Any]]:
    """Return the target, and what is said of it: its name, number and score."""
    network = subject.model.network
    if asked.unit is not None:
        name, unit = asked.unit
        layer = subject.layer(name)
        target = subject.target(layer=layer, unit=unit)
        with torch.no_grad():
            found = scores(network, images, target)
        assert found.positions is not None
        y, x = divmod(int(found.positions[0]), layer.width)
        return target, {"unit": unit, "layer": name, "score": float(found.values[0]), "position": [y, x]}
    if not subject.output.predicts:
        raise UsageError(
            f"the network predicts no class ({subject.output.task}): name a unit with --unit LAYER/UNIT"
        )
    with torch.no_grad():
        given = logits(network, images)
    shares = subject.output.probabilities(given.double().cpu().numpy())[0]
    index = int(shares.argmax()) if asked.class_name is None else subject.class_index(asked.class_name)
    name = subject.store.class_name(index)
    return subject.target(class_index=index), {
        "class": index,
        "class_name": name,
        "score": float(shares[index]),
    }


@dataclass(frozen=True)
class _Case:
    """One image to explain. pixels: (1, 3, height, width) from 0 to 1; images: the same, normalised."""

    subject: Subject
    asked: Question
    pixels: Tensor
    images: Tensor
    target: Target

    @property
    def network(self) -> nn.Module:
        return self.subject.model.network

    @property
    def layer(self) -> Layer:
        """Where Grad-CAM and inversion read."""
        name = self.asked.layer
        return self.subject.last_map() if name is None else self.subject.layer(name)


_Found = tuple[Tensor, dict[str, Any]]
"""What a method found of the one image, and what it says beside that."""


def _saliency(case: _Case) -> _Found:
    return gradient(case.network, case.images, case.target), {}


def _smoothgrad(case: _Case) -> _Found:
    seed = case.asked.seed
    return smoothgrad(case.network, case.images, case.target, seed=seed), {"seed": seed, "samples": SAMPLES}


def _integrated(case: _Case) -> _Found:
    found = integrated_gradients(case.network, case.images, case.target)
    error = float(found.error[0])
    return found.attribution, {"completeness_error": error, "baseline": "the mean color", "steps": STEPS}


def _grad_cam(case: _Case) -> _Found:
    return grad_cam(case.network, case.images, case.target, case.layer), {"read_at": case.layer.name}


def _by_rule(rule: Rule) -> Callable[[_Case], _Found]:
    def found(case: _Case) -> _Found:
        ruled = gradient_by_rule(case.network, case.images, case.target, rule)
        return ruled.gradient, {"relus": ruled.relus, "warning": ruled.warning or None}

    return found


def _inversion(case: _Case) -> _Found:
    made = invert(case.network, case.subject.normalise, case.pixels, case.layer, seed=case.asked.seed)
    errors = {"feature_error": float(made.feature_error[0]), "image_error": float(made.image_error[0])}
    return made.images, {"read_at": case.layer.name, "seed": case.asked.seed, **errors}


def _occlusion(case: _Case) -> _Found:
    windows = Windows.usual(*case.subject.model.input_size)
    target, output = case.target, case.subject.output

    def score(batch: Tensor) -> Tensor:
        if target.layer is not None:
            return scores(case.network, batch, target).values
        given = logits(case.network, batch).double().cpu().numpy()
        return torch.from_numpy(output.probabilities(given)[:, target.indices[0]])

    found = occlusion(case.images, score, windows, fill=case.asked.fill)
    return found, {"window": list(windows.side), "stride": list(windows.stride), "fill": case.asked.fill}


def _fooling(case: _Case) -> _Found:
    subject, epsilon = case.subject, case.asked.epsilon
    labels = _predicted(subject, case.pixels)
    found = fooling.projected_gradient(
        case.network, subject.normalise, case.pixels, labels, epsilon / 255, seed=None
    )
    predicted = int(found.predicted[0])
    return found.images, {
        "epsilon": epsilon,
        "predicted": predicted,
        "predicted_name": subject.store.class_name(predicted),
        "fooled": predicted != int(labels[0]),
        "linf": float(found.linf[0]) * 255,
        "l2": float(found.l2[0]),
    }


_HOW: dict[Method, Callable[[_Case], _Found]] = {
    "occlusion": _occlusion,
    "saliency": _saliency,
    "smoothgrad": _smoothgrad,
    "integrated-gradients": _integrated,
    "grad-cam": _grad_cam,
    "guided-backprop": _by_rule("guided-backprop"),
    "deconvnet": _by_rule("deconvnet"),
    "inversion": _inversion,
    "fooling": _fooling,
}


def fooling_rate(subject: Subject, *, epsilon: float, sample: int, seed: int) -> dict[str, Any]:
    """Return how many of `sample` correctly predicted images PGD fools. epsilon: in 255ths.

    Raises UsageError where no image is known to be predicted correctly.
    """
    correct = np.flatnonzero(subject.store.mask("correct = true"))
    if not len(correct):
        raise UsageError("no image of the store is known to be predicted correctly, so none can be fooled")
    chosen = np.sort(np.random.default_rng(seed).choice(correct, min(sample, len(correct)), replace=False))
    fooled, lengths = 0, 0.0
    for first in range(0, len(chosen), 64):
        pixels = subject.pixels(chosen[first : first + 64].tolist())
        labels = _predicted(subject, pixels)
        found = fooling.projected_gradient(
            subject.model.network, subject.normalise, pixels, labels, epsilon / 255, seed=None
        )
        fooled += int((found.predicted != labels).sum())
        lengths += float(found.l2.sum())
    return {
        "method": "fooling",
        "epsilon": epsilon,
        "images": len(chosen),
        "success_rate": fooled / len(chosen),
        "mean_l2": lengths / len(chosen),
        "steps": fooling.STEPS,
        "seed": seed,
    }


def _predicted(subject: Subject, pixels: Tensor) -> Tensor:
    """Return (n,) int64 classes. Raises UsageError for a network that does not predict one of several classes."""
    if subject.output.task != "classification":
        raise UsageError(
            f"fooling needs one predicted class of each image, and the network's task is {subject.output.task}"
        )
    with torch.no_grad():
        given = logits(subject.model.network, subject.normalise(pixels))
    if given.shape[1] < 2:
        raise UnitscopeError("fooling needs a network with a score for each of several classes")
    return given.argmax(1)
