"""What an explanation is about: the score of a class, or a unit of a layer, as a number that gradients flow through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...common.errors import LayerError, UnitscopeError
from ..layers.layers import Layer, as_grid, tensor_of
from ..outputs import OutputKind, read_output
from ..running.trace import every_module_runs

LOGITS = OutputKind("classification")


@dataclass(frozen=True)
class Target:
    """A number for each image of a batch.

    layer: of a unit; None for a class. indices: the unit or class of each image, or one for all. positions: of the
    unit, flat y * width + x, one for each image or one for all; None for where the unit is largest in the image.
    output: what the network's scores are.
    """

    indices: Sequence[int]
    layer: Layer | None = None
    positions: Sequence[int] | None = None
    output: OutputKind = LOGITS


@dataclass(frozen=True)
class Scores:
    """values: (n,) of the targets. positions: (n,) int64 flat positions of a unit, None for a class."""

    values: Tensor
    positions: Tensor | None = None


def scores(network: nn.Module, images: Tensor, target: Target) -> Scores:
    """Run the network and return the target of each image; gradients flow to `images` where they require them.

    images: (n, 3, height, width), normalised. A class counts by its logit; where the network gives probabilities, by
    the logarithm of its probability, and of one score the first class by the negative score. A unit counts before an
    operation in place changes it. Raises UnitscopeError where the network fails or gives no scores, LayerError where
    the layer does not run.
    """
    kept: list[Tensor] = []
    given = images.clone()  # an operation in place must not change what the caller has
    if target.layer is None:
        return Scores(_class_scores(run(network, given), target))
    with keep_output(network, target.layer, kept.append):
        run(network, given)
    if not kept:
        raise LayerError(f"layer {target.layer.name} did not run in this forward pass")
    grid = as_grid(kept[0], target.layer).flatten(2)
    units = _each(target.indices, grid)
    maps = grid[torch.arange(len(grid), device=grid.device), units]
    positions = maps.argmax(1) if target.positions is None else _each(target.positions, grid)
    return Scores(maps.gather(1, positions[:, None])[:, 0], positions)


def run(network: nn.Module, images: Tensor) -> object:
    """Return what the network returns. Raises UnitscopeError where it fails on the images."""
    try:
        return network(images)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        shape = "x".join(map(str, images.shape))
        raise UnitscopeError(f"the network failed on a batch of shape {shape}: {error}") from error


def logits(network: nn.Module, images: Tensor) -> Tensor:
    """Return (n, classes), what the network gives. Raises UnitscopeError where it gives no scores."""
    found = read_output(run(network, images))
    if found is None or len(found) != len(images):
        raise UnitscopeError("the network gives no score for each class, so it has none to explain")
    return found


class keep_output:
    """Within it, each forward pass gives the layer's output to `keep`, before anything changes it in place."""

    def __init__(self, network: nn.Module, layer: Layer, keep: Callable[[Tensor], object]) -> None:
        modules = dict(network.named_modules())
        if layer.module not in modules:
            raise LayerError(f"the network has no module {layer.module!r}; list its layers again")
        self._network, self._module = network, modules[layer.module]
        self._layer, self._keep, self._call = layer, keep, 0

    def __enter__(self) -> "keep_output":
        self._running = every_module_runs()
        self._running.__enter__()
        self._hooks = (
            self._network.register_forward_pre_hook(self._begin, prepend=True),
            self._module.register_forward_hook(self._after),
        )
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._running.__exit__(None, None, None)

    def _begin(self, _: nn.Module, __: tuple[object, ...]) -> None:
        self._call = 0

    def _after(self, _: nn.Module, __: tuple[object, ...], output: object) -> object:
        at, self._call = self._call, self._call + 1
        if at == self._layer.call:
            self._keep(tensor_of(output, self._layer).clone())


def _class_scores(output: object, target: Target) -> Tensor:
    found = read_output(output)
    if found is None:
        raise UnitscopeError("the network gives no score for each class, so it has none to explain")
    indices = _each(target.indices, found)
    if target.output.task == "binary" and found.shape[1] == 1:
        first = found[:, 0]
        if target.output.form == "probabilities":
            return torch.where(indices == 1, first.log(), torch.log1p(-first))
        return torch.where(indices == 1, first, -first)
    chosen = found.gather(1, indices[:, None])[:, 0]
    return chosen.log() if target.output.form == "probabilities" else chosen


def _each(values: Sequence[int], like: Tensor) -> Tensor:
    """Return (n,) int64, one for each image. Raises UnitscopeError for another number of them."""
    if len(values) not in (1, len(like)):
        raise UnitscopeError(f"{len(values)} targets are not one for each of {len(like)} images")
    return torch.tensor(list(values), device=like.device).expand(len(like))
