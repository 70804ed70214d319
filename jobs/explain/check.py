"""Checks a method of explanation on a store's network: randomisation of weights, insertion and deletion."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...common.errors import UsageError
from ...model.explain import checks
from ...model.explain.gradients import grad_cam, gradient, integrated_gradients, saliency_map, smoothgrad
from ...model.explain.occlusion import Windows, blurred, occlusion
from ...model.explain.relu import gradient_by_rule
from ...model.explain.target import Target, logits, scores
from .image import Method
from .subject import Subject

ATTRIBUTIONS: tuple[Method, ...] = (
    *("occlusion", "saliency", "smoothgrad", "integrated-gradients", "grad-cam"),
    *("guided-backprop", "deconvnet"),
)
_SMOOTH = 20
"""Copies of SmoothGrad here: the checks run it once for each layer."""


def check_method(subject: Subject, method: Method, *, sample: int, seed: int) -> dict[str, Any]:
    """Return how a method does on images by lot that the network reads, each explained for its predicted class.

    Raises UsageError for a method that makes no map, and for a network that predicts no class.
    """
    if method not in ATTRIBUTIONS:
        raise UsageError(
            f"{method} makes no map of what matters, so it has no check; there are {', '.join(ATTRIBUTIONS)}"
        )
    if not subject.output.predicts:
        raise UsageError(
            f"the checks explain the predicted class, and the network's task is {subject.output.task}"
        )
    readable = np.flatnonzero(subject.store.mask("status = 'ok'"))
    chosen = np.sort(np.random.default_rng(seed).choice(readable, min(sample, len(readable)), replace=False))
    images = subject.normalise(subject.pixels(chosen.tolist()))
    network = subject.model.network
    with torch.no_grad():
        given = logits(network, images).double().cpu().numpy()
    predicted = subject.output.probabilities(given).argmax(1).tolist()
    target = replace(subject.target(class_index=0), indices=predicted)
    maps = _maps(subject, method, images, target, seed)
    found = checks.randomisation(network, images, maps, seed=seed)
    values = maps(network).cpu()
    heat = saliency_map(values) if values.ndim == 4 else values
    return {
        "method": method,
        "images": len(chosen),
        "seed": seed,
        "depends_on_weights": checks.depends(found),
        "randomisation": [vars(one) for one in found],
        "exchange": _exchange(subject, images, target, heat, seed),
    }


def _maps(
    subject: Subject, method: Method, images: Tensor, target: Target, seed: int
) -> Callable[[nn.Module], Tensor]:
    """Return the function that makes a method's maps of the images, or gradients, with a network."""

    def made(network: nn.Module) -> Tensor:
        if method == "saliency":
            return gradient(network, images, target)
        if method == "smoothgrad":
            return smoothgrad(network, images, target, samples=_SMOOTH, seed=seed)
        if method == "integrated-gradients":
            return integrated_gradients(network, images, target).attribution
        if method == "grad-cam":
            return grad_cam(network, images, target, subject.last_map())
        if method == "occlusion":
            return _occluded(network, images, target)
        rule = "deconvnet" if method == "deconvnet" else "guided-backprop"
        return gradient_by_rule(network, images, target, rule).gradient

    return made


def _occluded(network: nn.Module, images: Tensor, target: Target) -> Tensor:
    """Return each image's map, of the score of its own class."""
    windows = Windows.usual(int(images.shape[2]), int(images.shape[3]))

    def of_image(image: Tensor, index: int) -> Tensor:
        own = replace(target, indices=[index])
        return occlusion(image[None], lambda batch: scores(network, batch, own).values, windows)

    return torch.cat([of_image(*pair) for pair in zip(images, target.indices, strict=True)])


def _exchange(
    subject: Subject, images: Tensor, target: Target, maps: Tensor, seed: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return for each baseline, for insertion and deletion, the mean area of each order of pixels."""
    indices = np.array(target.indices)

    def score(batch: Tensor) -> Tensor:
        given = logits(subject.model.network, batch).double().cpu().numpy()
        shares = subject.output.probabilities(given)
        return torch.from_numpy(shares[np.arange(len(shares)), indices])

    baselines = {
        "mean": torch.zeros_like(images),
        "blur": blurred(images, max(images.shape[2:]) / 8),
    }
    orders = {
        "method": maps,
        "random": checks.random_maps(images, seed),
        "centre": checks.centre_maps(images),
    }
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, baseline in baselines.items():
        found[name] = {}
        for how, exchange in (("insertion", checks.insertion), ("deletion", checks.deletion)):
            areas = {order: exchange(images, one, score, baseline).area for order, one in orders.items()}
            found[name][how] = {
                order: {"area": float(area.mean()), "interval": list(checks.interval(area, seed=seed))}
                for order, area in areas.items()
            }
    return found
