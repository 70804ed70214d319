"""Checks of explanations: does a map depend on the network, and does the network depend on what the map shows?

Sources: Adebayo et al., "Sanity Checks for Saliency Maps" (2018), section 3 (cascading randomisation, by Spearman's
rank correlation and SSIM of absolute maps); Petsiuk, Das and Saenko, "RISE" (2018), section 4.1 (insertion and
deletion); Wang et al., "Image Quality Assessment" (2004), equation 13 (SSIM). Insertion and deletion read the ranks of
pixels only, and make images that no dataset has: they are told beside those of a random order and of the centre.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from ..running.trace import every_module_runs
from .occlusion import Score, blurred
from .target import run

STEPS = 16
"""Of insertion and deletion: shares of the pixels that are changed one after another."""
ALIKE = 0.5
"""Of a rank correlation, up to which maps count as changed."""
_SSIM_SIGMA = 1.5
_STABLE = (0.01**2, 0.03**2)
"""Of SSIM, for values from 0 to 1."""

Maps = Callable[[nn.Module], Tensor]
"""Of a network: (n, height, width) maps, or (n, 3, height, width) gradients, of each image."""


@dataclass(frozen=True)
class Randomised:
    """layer: down to which, from the output, the weights are random.

    Means over the images of how alike the maps of this network and of the trained one are: spearman, of the values with
    their signs; spearman_absolute, of their absolute values; ssim, of the maps of the largest absolute channel.
    """

    layer: str
    spearman: float
    spearman_absolute: float
    ssim: float


def randomisation(network: nn.Module, images: Tensor, maps: Maps, *, seed: int = 0) -> list[Randomised]:
    """Return how a method's maps change while the weights are made random, layer by layer from the output on.

    The network itself is left as it is. A method whose maps hardly change explains something else than this network.
    """
    trained = maps(network)
    found: list[Randomised] = []
    for name, other in cascading(network, images[:1], seed=seed):
        pairs = list(zip(trained, maps(other), strict=True))
        means = [
            float(np.mean([compare(one, two) for one, two in pairs]))
            for compare in (spearman, _spearman_absolute, _ssim_absolute)
        ]
        found.append(Randomised(name, *means))
    return found


def depends(found: Sequence[Randomised]) -> bool:
    """Return whether maps have changed, by one of the rank correlations, once half of the layers are random."""
    half = found[len(found) // 2]
    return min(half.spearman, half.spearman_absolute) <= ALIKE


def _spearman_absolute(one: Tensor, two: Tensor) -> float:
    return spearman(one.abs(), two.abs())


def _ssim_absolute(one: Tensor, two: Tensor) -> float:
    first, second = (item.abs().amax(0) if item.ndim == 3 else item.abs() for item in (one, two))
    return ssim(first, second)


def cascading(network: nn.Module, images: Tensor, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Yield a copy of the network with one more layer random each time, from the last that runs to the first.

    images: of any number, to see in which order the modules run. Yields the layer's name and the same copy.
    """
    random = copy.deepcopy(network)
    modules = dict(random.named_modules())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in reversed(_with_weights(random, images)):
            _draw_again(modules[name])
            yield name, random


def spearman(one: Tensor, two: Tensor) -> float:
    """Return the rank correlation of two maps; 0 where one of them is constant."""
    ranks = [rankdata(item.detach().cpu().double().numpy(), axis=None) for item in (one, two)]
    centred = [rank - rank.mean() for rank in ranks]
    size = float(np.linalg.norm(centred[0]) * np.linalg.norm(centred[1]))
    return float(centred[0] @ centred[1]) / size if size else 0.0


def ssim(one: Tensor, two: Tensor) -> float:
    """Return the structural similarity of two maps, each scaled to 0 to 1, in Gaussian windows."""
    first, second = (_scaled(item.double())[None, None] for item in (one, two))
    means = [blurred(item, _SSIM_SIGMA) for item in (first, second)]
    squares = [
        blurred(a * b, _SSIM_SIGMA) - c * d
        for (a, c), (b, d) in (
            ((first, means[0]), (first, means[0])),
            ((second, means[1]), (second, means[1])),
            ((first, means[0]), (second, means[1])),
        )
    ]
    light = (2 * means[0] * means[1] + _STABLE[0]) / (means[0] ** 2 + means[1] ** 2 + _STABLE[0])
    structure = (2 * squares[2] + _STABLE[1]) / (squares[0] + squares[1] + _STABLE[1])
    return float((light * structure).mean())


@dataclass(frozen=True)
class Curve:
    """scores: (n, steps + 1) of each image, from none of its pixels changed to all. area: (n,), their mean."""

    scores: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """The area under each image's curve, with the shares of pixels from 0 to 1 (trapezoids)."""
        return (self.scores[:, 1:] + self.scores[:, :-1]).mean(1) / 2


def deletion(images: Tensor, maps: Tensor, score: Score, baseline: Tensor, *, steps: int = STEPS) -> Curve:
    """Return the scores while pixels are replaced by the baseline, those with the largest map values first.

    images, baseline: (n, 3, height, width). maps: (n, height, width). A low area says that these pixels matter.
    """
    return _exchanged(images, baseline, maps, score, steps)


def insertion(images: Tensor, maps: Tensor, score: Score, baseline: Tensor, *, steps: int = STEPS) -> Curve:
    """Return the scores while the image's pixels come into the baseline, those with the largest map values first."""
    return _exchanged(baseline, images, maps, score, steps)


def centre_maps(images: Tensor) -> Tensor:
    """Return (n, height, width): a Gaussian from the centre, a fourth of each side wide: what a guess would say."""
    height, width = int(images.shape[2]), int(images.shape[3])
    ys, xs = torch.meshgrid(
        (torch.arange(height) - (height - 1) / 2) / (height / 4),
        (torch.arange(width) - (width - 1) / 2) / (width / 4),
        indexing="ij",
    )
    return torch.exp(-(ys**2 + xs**2) / 2).expand(len(images), height, width)


def random_maps(images: Tensor, seed: int = 0) -> Tensor:
    """Return (n, height, width) of noise: an order of the pixels by lot."""
    shape = (len(images), int(images.shape[2]), int(images.shape[3]))
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def interval(values: np.ndarray, *, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (n,) values, by the percentiles of a bootstrap."""
    rows = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[rows].mean(1), [2.5, 97.5])
    return float(low), float(high)


def _exchanged(before: Tensor, after: Tensor, maps: Tensor, score: Score, steps: int) -> Curve:
    order = torch.sort(maps.flatten(1), dim=1, descending=True, stable=True).indices
    pixels = order.shape[1]
    found: list[Tensor] = []
    with torch.inference_mode():
        for step in range(steps + 1):
            chosen = torch.zeros_like(order, dtype=torch.bool)
            chosen.scatter_(1, order[:, : round(step * pixels / steps)], value=True)
            mask = chosen.reshape(len(maps), 1, *maps.shape[1:]).to(before.device)
            found.append(score(torch.where(mask, after, before)).double().cpu())
    return Curve(torch.stack(found, 1).numpy())


def _with_weights(network: nn.Module, images: Tensor) -> Sequence[str]:
    """Return the modules with parameters of their own, in the order in which each first runs."""
    ran: dict[str, None] = {}
    hooks = [
        module.register_forward_pre_hook(lambda _, __, name=name: ran.setdefault(name))
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    try:
        with torch.inference_mode(), every_module_runs():
            run(network, images)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(ran)


def _draw_again(module: nn.Module) -> None:
    """Make a module's own parameters random: as the module begins, else with their mean and spread."""
    begin: Callable[[], object] | None = getattr(module, "reset_parameters", None)
    with torch.no_grad():
        if begin is not None:
            begin()
            return
        for weight in module.parameters(recurse=False):
            spread = weight.std() if weight.numel() > 1 else weight.abs().mean()
            weight.copy_(torch.randn(weight.shape) * spread + weight.mean())


def _scaled(values: Tensor) -> Tensor:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else torch.zeros_like(values)
