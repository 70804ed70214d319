"""The memory layout that a network runs in: channels last, which is quicker, wherever the network takes it.

Only convolutions' weights are laid out anew: a four-dimensional parameter of a module of somebody's own may be read in
its own layout, as complex numbers are. A network that fails on images with their channels last (a `view` of a map as a
vector) takes them contiguous, and its weights stay as they are.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]


class _Contiguous:
    """A hook that makes a network's images contiguous; that it is there says that the network wants them so."""

    def __call__(self, _: nn.Module, args: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(item.contiguous() if isinstance(item, Tensor) else item for item in args)


def settle_layout(network: nn.Module, images: Tensor) -> object:
    """Return what the network returns for `images`, run as every later batch is: channels last, or else contiguous.

    images: (n, 3, height, width). Where channels last fails, the network is changed to take contiguous images, for
    good; where it fails then too, it raises what the network raises.
    """
    use_channels_last(network)
    try:
        return network(images.contiguous(memory_format=torch.channels_last))
    except Exception:  # noqa: BLE001 - someone's network may raise anything; run again, it is raised
        _lay_out(network, torch.contiguous_format)
    output: object = network(images.contiguous())
    network.register_forward_pre_hook(_Contiguous(), prepend=True)
    return output


def takes_channels_last(network: nn.Module) -> bool:
    """Return whether `settle_layout` has found that the network takes channels last; True before it was asked."""
    hooks: list[Callable[..., object]] = list(network._forward_pre_hooks.values())  # pyright: ignore[reportPrivateUsage]
    return not any(isinstance(hook, _Contiguous) for hook in hooks)


def use_channels_last(network: nn.Module) -> nn.Module:
    """Return the network itself, the weights of its two-dimensional convolutions with the channels last, if it takes
    that.
    """
    if takes_channels_last(network):
        _lay_out(network, torch.channels_last)
    return network


def _lay_out(network: nn.Module, layout: torch.memory_format) -> None:
    with torch.inference_mode(mode=False), torch.no_grad():  # gradients flow by the weights later
        for module in network.modules():
            held = module._parameters if isinstance(module, _ConvNd) else {}  # pyright: ignore[reportPrivateUsage]
            weight = held.get("weight")
            if weight is not None and weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=layout)
