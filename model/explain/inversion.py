"""Feature inversion: an image made anew from a layer's activations alone.

Source: Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them" (2015): equation 1 with the
relative error as loss, an alpha norm (6) and total variation as regularisers. The image is found by Adam over pixels
from 0 to 1, from grey with a little noise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..layers.layers import Layer
from .target import keep_output, run

Normalise = Callable[[Tensor], Tensor]
STEPS = 600
RATE = 0.02
VARIATION = 1e-3
"""The weight of total variation, against a relative error of the feature of 1."""
ALPHA, ALPHA_WEIGHT = 6, 1e-4


@dataclass(frozen=True)
class Inverted:
    """images: (n, 3, height, width), pixels from 0 to 1. feature_error: (n,), the length of the difference of the
    features by that of the feature. image_error: (n,), the same of the pixels, each image's mean taken away.
    losses: the loss of each step, over all images.
    """

    images: Tensor
    feature_error: Tensor
    image_error: Tensor
    losses: tuple[float, ...]


def invert(
    network: nn.Module,
    normalise: Normalise,
    pixels: Tensor,
    layer: Layer,
    *,
    steps: int = STEPS,
    rate: float = RATE,
    variation: float = VARIATION,
    seed: int = 0,
) -> Inverted:
    """Return images whose activations of a layer are those of given ones.

    pixels: (n, 3, height, width) from 0 to 1. Each image is found by itself, the batch only saves time. Raises
    LayerError where the layer does not run.
    """
    with torch.no_grad():
        wanted = _activations(network, normalise(pixels), layer)
    size = wanted.flatten(1).norm(dim=1).clamp_min(1e-12)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(pixels.shape[1:], generator=generator).to(pixels)
    unbounded = (0.1 * noise).expand_as(pixels).clone().requires_grad_()
    optimiser = torch.optim.Adam([unbounded], lr=rate * 5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    losses: list[float] = []
    with torch.enable_grad():
        for _ in range(steps):
            found = torch.sigmoid(unbounded)
            gap = (_activations(network, normalise(found), layer) - wanted).flatten(1).norm(dim=1) / size
            loss = (gap**2 + variation * total_variation(found) + ALPHA_WEIGHT * _alpha_norm(found)).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
    images = torch.sigmoid(unbounded.detach())
    with torch.no_grad():
        error = (_activations(network, normalise(images), layer) - wanted).flatten(1).norm(dim=1) / size
    return Inverted(images, error, _image_error(images, pixels), tuple(losses))


def total_variation(images: Tensor) -> Tensor:
    """Return (n,): the sum of squared differences of neighbouring pixels, by the number of pixels' rows."""
    down = (images[:, :, 1:] - images[:, :, :-1]).square().flatten(1).sum(1)
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).square().flatten(1).sum(1)
    return (down + across) / images.shape[2]


def _alpha_norm(images: Tensor) -> Tensor:
    return (2 * images - 1).abs().pow(ALPHA).flatten(1).mean(1)


def _activations(network: nn.Module, images: Tensor, layer: Layer) -> Tensor:
    kept: list[Tensor] = []
    with keep_output(network, layer, kept.append):
        run(network, images)
    return kept[0].movedim(layer.batch_axis, 0)


def _image_error(images: Tensor, pixels: Tensor) -> Tensor:
    centred = pixels - pixels.mean((1, 2, 3), keepdim=True)
    gap = (images - images.mean((1, 2, 3), keepdim=True)) - centred
    return gap.flatten(1).norm(dim=1) / centred.flatten(1).norm(dim=1).clamp_min(1e-12)
