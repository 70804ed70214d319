"""Explanations by gradients: saliency, SmoothGrad, Integrated Gradients and Grad-CAM.

Sources: Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks" (2014); Smilkov et al., "SmoothGrad"
(2017), equation 2; Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks" (2017), equation 1; Selvaraju
et al., "Grad-CAM" (2017), equations 1 and 2. All take images (n, 3, height, width), normalised, and are batched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.errors import LayerError
from ..layers.layers import Layer, as_grid, tensor_of
from .target import Scores, Target, keep_output, scores

STEPS = 64
"""Of Integrated Gradients: with so many the sum is within 1 % of what it should be."""
SAMPLES = 50
"""Of SmoothGrad, as its paper uses."""
NOISE = 0.15
"""The standard deviation of SmoothGrad's noise, as a share of the image's range: the paper finds 0.1 to 0.2 best."""
BATCH = 64
"""Images in one pass, at most."""


def gradient(network: nn.Module, images: Tensor, target: Target) -> Tensor:
    """Return (n, 3, height, width): the derivative of each image's target by its pixels. Raises as `scores`."""
    return _scored_gradient(network, images, target)[0]


def saliency_map(attribution: Tensor) -> Tensor:
    """Return (n, height, width): the largest absolute value of the three channels (Simonyan 2014, section 3.1)."""
    return attribution.abs().amax(1)


def smoothgrad(
    network: nn.Module,
    images: Tensor,
    target: Target,
    *,
    samples: int = SAMPLES,
    noise: float = NOISE,
    seed: int = 0,
) -> Tensor:
    """Return (n, 3, height, width): the mean gradient over copies of each image with noise added.

    noise: of its standard deviation, as a share of the image's range. An image's noise follows from the seed alone. A
    unit without a given position is read where it is largest in the image without noise. Raises as `scores`.
    """
    target = _fixed(network, images, target)
    spread = noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))
    total = torch.zeros_like(images)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(samples):
        drawn = torch.randn(images.shape[1:], generator=generator).to(images.device)
        total += gradient(network, images + spread[:, None, None, None] * drawn, target)
    return total / samples


@dataclass(frozen=True)
class Integrated:
    """attribution: (n, 3, height, width), of each pixel's share in the change of the target from the baseline.

    error: (n,), how far their sum is from that change, as a share of it: what the sum over steps leaves out.
    """

    attribution: Tensor
    error: Tensor


def integrated_gradients(
    network: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baseline: Tensor | None = None,
    steps: int = STEPS,
) -> Integrated:
    """Return the integral of the gradient on the straight way from a baseline to each image, times the difference.

    baseline: (3, height, width) or (n, 3, height, width); by default zeros, which is the mean colour of the
    preprocessing. The integral is a Gauss-Legendre sum. A unit without a given position is read where it is largest in
    the image itself. Raises as `scores`.
    """
    target = _fixed(network, images, target)
    start = torch.zeros_like(images) if baseline is None else baseline.to(images).expand_as(images)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(images)
    for node, weight in zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
        total += weight * gradient(network, start + node * (images - start), target)
    found = total * (images - start)
    with torch.no_grad():
        change = scores(network, images, target).values - scores(network, start, target).values
    error = (found.double().sum((1, 2, 3)) - change.double()).abs() / change.double().abs().clamp_min(1e-12)
    return Integrated(found, error)


def grad_cam(network: nn.Module, images: Tensor, target: Target, layer: Layer) -> Tensor:
    """Return (n, height, width) in the input's pixels, 0 and above: where a layer's map speaks for the target.

    layer: a map or tokens with several positions. Each unit's map is weighted by the mean of the target's gradient over
    its positions; the sum's positive part is enlarged bilinearly. Raises as `scores`, LayerError for a vector.
    """
    if layer.height * layer.width == 1:
        raise LayerError(f"{layer.name} has one position only: Grad-CAM needs a layer with a map")
    kept: list[Tensor] = []

    def keep(output: Tensor) -> None:
        kept.append(output)

    inputs = images.detach().clone().requires_grad_()
    with torch.enable_grad(), _replacing(network, layer, keep):
        values = scores(network, inputs, target).values
        found = cast(
            "tuple[Tensor | None, ...]", torch.autograd.grad(values.sum(), kept[0], allow_unused=True)
        )
    if found[0] is None:
        raise LayerError(f"{layer.name} has no part in the target: it comes after it, or beside it")
    maps, slopes = as_grid(kept[0].detach(), layer), as_grid(found[0], layer)
    weighted = (maps * slopes.mean((2, 3), keepdim=True)).sum(1, keepdim=True).relu()
    size = (int(images.shape[2]), int(images.shape[3]))
    return F.interpolate(weighted, size, mode="bilinear", align_corners=False)[:, 0]


def in_batches(images: Tensor, target: Target, batch: int = BATCH) -> list[tuple[Tensor, Target]]:
    """Return the images with their targets, some at a time."""
    parts: list[tuple[Tensor, Target]] = []
    for first in range(0, len(images), batch):
        rows = slice(first, first + batch)
        parts.append((images[rows], _rows(target, rows)))
    return parts


def _rows(target: Target, rows: slice) -> Target:
    def some(values: Sequence[int]) -> Sequence[int]:
        return values if len(values) == 1 else values[rows]

    positions = None if target.positions is None else some(target.positions)
    return replace(target, indices=some(target.indices), positions=positions)


def _fixed(network: nn.Module, images: Tensor, target: Target) -> Target:
    """Return the target with the positions that a unit has in the images as they are."""
    if target.layer is None or target.positions is not None:
        return target
    with torch.no_grad():
        found = scores(network, images, target).positions
    assert found is not None
    return replace(target, positions=found.tolist())


def _scored_gradient(network: nn.Module, images: Tensor, target: Target) -> tuple[Tensor, Scores]:
    inputs = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        found = scores(network, inputs, target)
        (slope,) = torch.autograd.grad(found.values.sum(), inputs)
    return slope, found


class _replacing(keep_output):
    """As `keep_output`, but what the network goes on with is what was kept, so that gradients reach it."""

    def _after(self, _: nn.Module, __: tuple[object, ...], output: object) -> object:
        at, self._call = self._call, self._call + 1
        if at != self._layer.call:
            return None
        kept = tensor_of(output, self._layer)
        self._keep(kept)
        where = self._layer.output
        if where is None or not isinstance(output, tuple | list):
            return kept.clone()
        items: list[Any] = [*output]
        items[where] = kept.clone()
        made: Any = type(output)
        return made(*items) if hasattr(made, "_fields") else made(items)
