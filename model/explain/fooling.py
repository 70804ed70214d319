"""Fooling images: the smallest change of an image that makes the network predict another class.

Sources: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples" (2015), section 4 (gradient
sign); Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (2018), section 2.1 (PGD);
Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool" (2016), algorithm 2. Images are (n, 3, height, width) with pixels from
0 to 1, and so is what comes back; `normalise` makes the network's input of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .target import logits

Normalise = Callable[[Tensor], Tensor]
STEPS = 10
OVERSHOOT = 0.02
MOST_STEPS = 50
"""Of DeepFool, as in its paper."""


@dataclass(frozen=True)
class Fooled:
    """images: (n, 3, height, width), changed. predicted: (n,) the class that each is predicted as now.

    linf: (n,) the largest change of a pixel. l2: (n,) the length of the change by that of the image (DeepFool, 1).
    """

    images: Tensor
    predicted: Tensor
    linf: Tensor
    l2: Tensor


def gradient_sign(
    network: nn.Module, normalise: Normalise, pixels: Tensor, labels: Tensor, epsilon: float
) -> Fooled:
    """Move every pixel by `epsilon` up or down, whichever raises the cross-entropy of the image's label.

    labels: (n,) int64. epsilon: where white is 1.
    """
    slope = _loss_gradient(network, normalise, pixels, labels)
    return _fooled(network, normalise, pixels, (pixels + epsilon * slope.sign()).clamp(0, 1))


def projected_gradient(
    network: nn.Module,
    normalise: Normalise,
    pixels: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    steps: int = STEPS,
    step: float | None = None,
    seed: int | None = 0,
) -> Fooled:
    """Take several steps by the sign of the gradient, each cut to `epsilon` around the image and to pixels' range.

    step: the length of each, by default a quarter of epsilon. seed: of the random start within epsilon; None begins at
    the image itself.
    """
    step = epsilon / 4 if step is None else step
    found = pixels.clone()
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(pixels.shape, generator=generator).to(pixels) * 2 - 1
        found = (pixels + epsilon * noise).clamp(0, 1)
    for _ in range(steps):
        slope = _loss_gradient(network, normalise, found, labels)
        found = torch.clamp(found + step * slope.sign(), pixels - epsilon, pixels + epsilon).clamp(0, 1)
    return _fooled(network, normalise, pixels, found)


def deepfool(
    network: nn.Module,
    normalise: Normalise,
    pixels: Tensor,
    *,
    classes: int = 10,
    most: int = MOST_STEPS,
    overshoot: float = OVERSHOOT,
) -> Fooled:
    """Go again and again to the nearest boundary of a linear picture of the network, until the prediction changes.

    classes: how many of the highest-scoring classes are looked at. most: steps. overshoot: the change is made larger by
    this share at the end, so that it is past the boundary.
    """
    with torch.no_grad():
        order = logits(network, normalise(pixels)).argsort(1, descending=True)[:, :classes]
    change = torch.zeros_like(pixels)
    for _ in range(most):
        moved = (pixels + (1 + overshoot) * change).clamp(0, 1)
        values, slopes = _class_gradients(network, normalise, moved, order)
        going = values.argmax(1) == 0
        if not going.any():
            break
        gaps = values[:, 1:] - values[:, :1]
        ways = slopes[:, 1:] - slopes[:, :1]
        lengths = ways.flatten(2).norm(dim=2).clamp_min(1e-12)
        nearest = (gaps.abs() / lengths).argmin(1)
        rows = torch.arange(len(pixels), device=pixels.device)
        gap, way, length = gaps[rows, nearest].abs(), ways[rows, nearest], lengths[rows, nearest]
        move = ((gap + 1e-4) / length**2)[:, None, None, None] * way
        change = torch.where(going[:, None, None, None], change + move, change)
    return _fooled(network, normalise, pixels, (pixels + (1 + overshoot) * change).clamp(0, 1))


def _class_gradients(
    network: nn.Module, normalise: Normalise, pixels: Tensor, order: Tensor
) -> tuple[Tensor, Tensor]:
    """Return (n, k) scores of the classes in `order`, and (n, k, 3, height, width) their gradients."""
    inputs = pixels.detach().clone().requires_grad_()
    with torch.enable_grad():
        chosen = logits(network, normalise(inputs)).gather(1, order)
        slopes = [
            torch.autograd.grad(chosen[:, place].sum(), inputs, retain_graph=True)[0]
            for place in range(order.shape[1])
        ]
    return chosen.detach(), torch.stack(slopes, 1)


def _loss_gradient(network: nn.Module, normalise: Normalise, pixels: Tensor, labels: Tensor) -> Tensor:
    inputs = pixels.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(logits(network, normalise(inputs)), labels, reduction="sum")
        (slope,) = torch.autograd.grad(loss, inputs)
    return slope


def _fooled(network: nn.Module, normalise: Normalise, pixels: Tensor, found: Tensor) -> Fooled:
    with torch.no_grad():
        predicted = logits(network, normalise(found)).argmax(1)
    change = found - pixels
    lengths = change.flatten(1).norm(dim=1) / pixels.flatten(1).norm(dim=1).clamp_min(1e-12)
    return Fooled(found, predicted, change.abs().amax((1, 2, 3)), lengths)
