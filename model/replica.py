"""Copies of a network that share its weights, so that threads can run it at a time without meeting in its attributes.

Networks keep things in their modules from one line of `forward` to the next (a skip connection, a mask, a normalised
weight); two threads in one network would read each other's.
"""

import copy

import torch
from torch import Tensor, nn


def replica(network: nn.Module) -> nn.Module | None:
    """A copy of the modules with the same tensors, or None where something in the network cannot be copied."""
    shared = {id(tensor): tensor for module in network.modules() for tensor in _tensors(module)}
    try:
        return copy.deepcopy(network, shared)
    except Exception:  # noqa: BLE001 - a lock, an open file, or whatever else someone's module holds
        return None


def _tensors(module: nn.Module) -> list[Tensor]:
    own = vars(module)
    held = [*own.values(), *module.parameters(recurse=False), *module.buffers(recurse=False)]
    return [value for value in held if isinstance(value, Tensor)]


def use_channels_last(network: nn.Module) -> nn.Module:
    """The network itself, its four-dimensional weights with the channels last; other ranks have no such layout."""
    return network._apply(_channels_last)  # pyright: ignore[reportPrivateUsage]  # `to` fails on a Conv3d


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
