"""Images that a unit or a class asks for, by gradient ascent: over pixels with regularisers, or over phases (MACO).

Sources: Yosinski et al., "Understanding Neural Networks Through Deep Visualization" (2015), section 3: decay, Gaussian
blur, and clipping of pixels with a small norm or a small contribution, in the order clip, forward, gradient, decay,
blur, percentiles; the four presets are those of the Deep Visualization Toolbox. Fel et al., "Unlocking Feature
Visualization for Deeper Networks with MAgnitude Constrained Optimization" (2023), section 3: the magnitude of the
spectrum is that of natural images, here of the user's own dataset, and only the phase is found. Images are (n, 3,
height, width), pixels from 0 to 1. A step is taken along the gradient scaled to a root mean square of 1, so that it
means the same for any network.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .occlusion import blurred
from .target import Target, scores

Normalise = Callable[[Tensor], Tensor]
PresetName = Literal["plain", "1", "2", "3", "4"]
MACO_STEPS = 256
MACO_RATE = 1.0
_CROPS, _NOISE = (0.6, 0.95), 0.08
"""Of MACO: the sides of the random crops as shares of the image, and the standard deviation of the noise."""


@dataclass(frozen=True)
class Preset:
    """Regularisers of ascent over pixels.

    step: of each iteration, in 255ths. decay: share taken off each pixel's difference from the mean colour in each
    iteration. blur, every: the width of the blur in pixels, in every so many iterations. small_norm,
    small_contribution: the share of the pixels with the smallest norm, or contribution, that is set to the mean colour.
    """

    steps: int = 500
    step: float = 2.0
    decay: float = 0.0
    blur: float = 0.0
    every: int = 4
    small_norm: float = 0.0
    small_contribution: float = 0.0


PRESETS: dict[PresetName, Preset] = {
    "plain": Preset(),
    "1": Preset(steps=500, blur=0.5, small_norm=0.5),
    "2": Preset(steps=750, decay=0.3, small_norm=0.2, step=8.0),
    "3": Preset(steps=1000, decay=1e-4, blur=1.0),
    "4": Preset(steps=1000, blur=0.5, small_contribution=0.9),
}
"""By the numbers of the toolbox; `plain` has no regulariser."""


@dataclass(frozen=True)
class Synthesised:
    """images: (n, 3, height, width). scores: (n,) of their targets. curve: the mean score before each step."""

    images: Tensor
    scores: Tensor
    curve: tuple[float, ...]


def ascend(
    network: nn.Module,
    normalise: Normalise,
    target: Target,
    size: tuple[int, int],
    preset: Preset,
    *,
    mean: Sequence[float] = (0.5, 0.5, 0.5),
    seeds: Sequence[int] = (0,),
) -> Synthesised:
    """Return an image for each of the target's indices and seeds: the seeds of the first index, then of the next.

    mean: the mean colour, around which regularisers pull. A unit without a given position is read in the middle of its
    map. Raises as `scores`.
    """
    wanted, drawn = _each(target, seeds)
    colour = torch.tensor(mean)[None, :, None, None]
    offsets = torch.stack(
        [torch.randn(3, *size, generator=torch.Generator().manual_seed(seed)) * 10 / 255 for seed in drawn]
    )
    curve: list[float] = []
    for step in range(preset.steps):
        pixels = (colour + offsets).clamp(0, 1)
        slope, values = _slope(network, normalise, pixels, wanted)
        curve.append(float(values.mean()))
        rms = slope.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-20)
        offsets = (pixels - colour + preset.step / 255 * slope / rms) * (1 - preset.decay)
        if preset.blur > 0 and step % preset.every == 0:
            offsets = blurred(offsets, preset.blur)
        if preset.small_norm > 0:
            offsets = _without_smallest(offsets, offsets.norm(dim=1), preset.small_norm)
        if preset.small_contribution > 0:
            contribution = (offsets * slope).sum(1).abs()
            offsets = _without_smallest(offsets, contribution, preset.small_contribution)
    return _finished(network, normalise, (colour + offsets).clamp(0, 1), wanted, curve)


def spectrum_of(pixels: Tensor) -> Tensor:
    """Return (3, height, width // 2 + 1): the mean magnitude of images' spectra, each channel's mean left out."""
    magnitude = torch.fft.rfft2(pixels - pixels.mean((2, 3), keepdim=True)).abs().mean(0)
    magnitude[:, 0, 0] = 0
    return magnitude


def maco(
    network: nn.Module,
    normalise: Normalise,
    target: Target,
    spectrum: Tensor,
    width: int,
    *,
    mean: Sequence[float] = (0.5, 0.5, 0.5),
    steps: int = MACO_STEPS,
    rate: float = MACO_RATE,
    seeds: Sequence[int] = (0,),
) -> Synthesised:
    """Return an image for each of the target's indices and seeds whose spectrum has a given magnitude.

    spectrum: as `spectrum_of` gives it for images of this width. In each step the network sees a random crop of every
    image with noise, so that the image holds at many places. Raises as `scores`.
    """
    wanted, drawn = _each(target, seeds)
    height, columns = int(spectrum.shape[1]), int(spectrum.shape[2])
    colour = torch.tensor(mean)[None, :, None, None]
    generators = [torch.Generator().manual_seed(seed) for seed in drawn]
    phases = torch.stack(
        [(torch.rand(3, height, columns, generator=one) - 0.5) * 2 * torch.pi for one in generators]
    ).requires_grad_()
    optimiser = torch.optim.NAdam([phases], lr=rate)
    curve: list[float] = []
    with torch.enable_grad():
        for _ in range(steps):
            images = _of_phases(phases, spectrum, colour, (height, width))
            values = scores(network, normalise(_seen(images, generators)), wanted).values
            optimiser.zero_grad()
            (-values.sum()).backward()
            optimiser.step()
            curve.append(float(values.detach().mean()))
    made = _of_phases(phases.detach(), spectrum, colour, (height, width))
    return _finished(network, normalise, made, wanted, curve)


def _of_phases(phases: Tensor, spectrum: Tensor, colour: Tensor, size: tuple[int, int]) -> Tensor:
    made = torch.fft.irfft2(torch.polar(spectrum.expand_as(phases), phases), s=size)
    return (colour + made).clamp(0, 1)


def _seen(images: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Return a random crop of each image, enlarged to its size, with noise: by the image's own generator."""
    height, width = int(images.shape[2]), int(images.shape[3])
    found: list[Tensor] = []
    for image, generator in zip(images, generators, strict=True):
        share, top, left = torch.rand(3, generator=generator).tolist()
        rows, columns = (
            max(1, round((_CROPS[0] + share * (_CROPS[1] - _CROPS[0])) * side)) for side in (height, width)
        )
        y, x = round(top * (height - rows)), round(left * (width - columns))
        crop = image[None, :, y : y + rows, x : x + columns]
        noise = torch.randn(image.shape, generator=generator) * _NOISE
        found.append(F.interpolate(crop, (height, width), mode="bilinear", align_corners=False)[0] + noise)
    return torch.stack(found)


def _each(target: Target, seeds: Sequence[int]) -> tuple[Target, list[int]]:
    """Return the target with an index for each image, and each image's seed."""
    indices = [index for index in target.indices for _ in seeds]
    positions = target.positions
    if target.layer is not None and positions is None:
        layer = target.layer
        positions = [(layer.height // 2) * layer.width + layer.width // 2]
    return Target(indices, target.layer, positions, target.output), [*seeds] * len(target.indices)


def _slope(network: nn.Module, normalise: Normalise, pixels: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    inputs = pixels.detach().clone().requires_grad_()
    with torch.enable_grad():
        values = scores(network, normalise(inputs), target).values
        (slope,) = torch.autograd.grad(values.sum(), inputs)
    return slope, values.detach()


def _without_smallest(offsets: Tensor, sizes: Tensor, share: float) -> Tensor:
    """Return the offsets with those of the pixels of the smallest sizes set to 0. sizes: (n, height, width)."""
    limit = sizes.flatten(1).quantile(share, dim=1)[:, None, None]
    return offsets * (sizes >= limit)[:, None]


def _finished(
    network: nn.Module, normalise: Normalise, images: Tensor, target: Target, curve: list[float]
) -> Synthesised:
    with torch.no_grad():
        return Synthesised(images, scores(network, normalise(images), target).values, tuple(curve))
