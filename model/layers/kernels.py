"""The filters of a layer: the weights of its convolution as planes, one for each channel that a unit reads."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...common.errors import LayerError
from ..running.trace import first_tensor, random_images, undisturbed
from .layers import Layer

_CLOSE = 1e-3


@dataclass(frozen=True)
class Filters:
    """weights: (units, channels, height, width) float32, as the layer's output answers to them.

    rgb: the channels are the image's own red, green and blue. module: the convolution. normalisation: the module whose
    scale the weights were multiplied by, or "". groups: unit u reads the channels from
    (u // (units / groups)) * channels on.
    """

    weights: np.ndarray
    rgb: bool
    module: str
    normalisation: str
    groups: int


@dataclass
class _Seen:
    """What one pass showed. made: (convolution, its output, the output's version). taken: of which the layer reads."""

    made: list[tuple[str, Tensor, int]]
    inputs: dict[str, Tensor]
    taken: str | None = None


def filters_of(
    network: nn.Module, layer: Layer, input_size: tuple[int, int], *, device: torch.device | str = "cpu"
) -> Filters:
    """Return the filters of a convolution, or of a normalisation that takes a convolution's very output.

    A normalisation's scale (of a batch norm: weight / sqrt(variance + eps)) is multiplied in, because a negative one
    turns the filter round. Raises LayerError, with the reason, for every other layer.
    """
    modules = dict(network.named_modules())
    module = modules[layer.module]
    images = random_images(network, 2, input_size, device, seed=5)
    seen = _watch(network, layer, images, device)
    name = layer.module if isinstance(module, nn.Conv2d) else seen.taken
    if name is None:
        raise LayerError(_why_none(layer, module))
    convolution = modules[name]
    assert isinstance(convolution, nn.Conv2d)
    weights = convolution.weight.detach().float()
    _check_applied(convolution, weights, name, device)
    normalisation = ""
    if convolution is not module:
        scale = _scale(module, len(weights))
        if scale is not None:
            weights, normalisation = weights * scale[:, None, None, None], layer.module
    rgb = convolution.groups == 1 and _is_image(seen.inputs[name], images)
    return Filters(weights.cpu().contiguous().numpy(), rgb, name, normalisation, convolution.groups)


def _watch(network: nn.Module, layer: Layer, images: Tensor, device: torch.device | str) -> _Seen:
    """Run the network once, looking at its 2-d convolutions and at the layer's call."""
    seen = _Seen([], {})
    with undisturbed(network, device), ExitStack() as hooks:
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                hooks.callback(module.register_forward_hook(_note(seen, name)).remove)
        target = network.get_submodule(layer.module)
        hooks.callback(target.register_forward_pre_hook(_note_source(seen, layer), with_kwargs=True).remove)
        network(images)
    return seen


def _note(seen: _Seen, name: str) -> Callable[[nn.Module, object, object], None]:
    def hook(_: nn.Module, args: object, output: object) -> None:
        taken, made = first_tensor(args), first_tensor(output)
        if taken is not None and made is not None:
            seen.inputs.setdefault(name, taken.clone())
            seen.made.append((name, made, made._version))

    return hook


def _note_source(
    seen: _Seen, layer: Layer
) -> Callable[[nn.Module, tuple[object, ...], dict[str, object]], None]:
    """Note which convolution's output the layer's call takes: the same memory, not written to since."""
    calls = iter(range(1 << 30))

    def hook(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        taken = first_tensor(args)
        taken = first_tensor(kwargs) if taken is None else taken
        if next(calls) != layer.call or taken is None or not _is_normalisation(module):
            return
        for name, made, version in reversed(seen.made):
            same = made.untyped_storage().data_ptr() == taken.untyped_storage().data_ptr()
            if same and made.shape == taken.shape and taken._version == version:
                seen.taken = name
                return

    return hook


def _is_normalisation(module: nn.Module) -> bool:
    named = any("norm" in kind.__name__.lower() for kind in type(module).__mro__)
    holds = {name for name, _ in module.named_buffers(recurse=False)} >= {"running_mean", "running_var"}
    return (named or holds) and not any(isinstance(child, nn.Conv2d) for child in module.modules())


def _scale(module: nn.Module, units: int) -> Tensor | None:
    """Return (units,) by which a normalisation multiplies each unit, up to what depends on the image; None for none."""
    weight, variance = getattr(module, "weight", None), getattr(module, "running_var", None)
    scale = torch.ones(units)
    if isinstance(weight, Tensor):
        if weight.shape != (units,):
            return None
        scale = weight.detach().float()
    if isinstance(variance, Tensor) and variance.shape == (units,):
        scale = scale / torch.sqrt(variance.float() + float(getattr(module, "eps", 1e-5)))
    return scale


def _check_applied(convolution: nn.Conv2d, weights: Tensor, name: str, device: torch.device | str) -> None:
    """Raise LayerError for a kind of convolution that applies other weights than it holds (standardised ones).

    On constant channels, away from the borders, the output is the sum of each plane times its channel.
    """
    if type(convolution).forward is nn.Conv2d.forward:
        return
    kernel, dilation, stride = convolution.kernel_size, convolution.dilation, convolution.stride
    height, width = (5 * (d * (k - 1) + s) + 1 for k, d, s in zip(kernel, dilation, stride, strict=True))
    dtype = convolution.weight.dtype
    values = torch.linspace(1, 2, convolution.in_channels, device=device, dtype=dtype)
    with torch.no_grad():
        output: Tensor = convolution(values[None, :, None, None].expand(1, -1, height, width).contiguous())
    found = output[0, :, output.shape[2] // 2, output.shape[3] // 2].float()
    by_unit = values.float().view(convolution.groups, 1, -1)
    planes = weights.sum((2, 3)).view(convolution.groups, -1, weights.shape[1])
    expected = (planes * by_unit).sum(2).flatten()
    size = (weights.abs().sum((2, 3)).view_as(planes) * by_unit).sum(2).flatten()
    if convolution.bias is not None:
        expected = expected + convolution.bias.detach().float()
    if ((found - expected).abs() > _CLOSE * size + 1e-6).any():
        raise LayerError(
            f"{name} ({type(convolution).__name__}) does not apply the weights that it holds, but some that it makes "
            "from them: its filters are not shown"
        )


def _is_image(taken: Tensor, images: Tensor) -> bool:
    """Return whether each channel of (N, 3, H, W) is that channel of the images, perhaps scaled and shifted."""
    if taken.shape != images.shape:
        return False
    one, other = (x.float().movedim(1, 0).flatten(1) for x in (taken, images))
    one, other = (x - x.mean(1, keepdim=True) for x in (one, other))
    alike = (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp_min(1e-30)
    return bool((alike > 1 - _CLOSE).all())


def _why_none(layer: Layer, module: nn.Module) -> str:
    kind = type(module).__name__
    if isinstance(module, nn.Linear):
        return (
            f"{layer.name} has no filters to show: it is linear, its weights are one row of "
            f"{module.in_features:,} numbers for each unit"
        )
    return (
        f"{layer.name} has no filters to show: it is a {kind}, neither a 2-d convolution nor a normalisation that "
        "directly follows one; ask for the layer of the convolution itself"
    )
