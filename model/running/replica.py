"""Copies of a network that share its weights, so that threads can run it at a time without meeting in its attributes.

Networks keep things in their modules from one line of `forward` to the next (a skip connection, a mask, a normalised
weight); two threads in one network would read each other's.
"""

import copy
from contextlib import ExitStack

import torch
from torch import Tensor, nn


def replica(network: nn.Module, images: Tensor) -> nn.Module | None:
    """Return a copy of the modules with the same tensors, or None where something in the network cannot be copied, or
    where the copy would run modules of the network itself: a function that remembers them is not copied.

    images: what the network takes; the copy is run on two of them.
    """
    shared = {id(tensor): tensor for module in network.modules() for tensor in _tensors(module)}
    try:
        made = copy.deepcopy(network, shared)
        return None if _runs(made, images[:2], network) else made
    except Exception:  # noqa: BLE001 - a lock, an open file, or whatever else someone's module holds
        return None


def _runs(made: nn.Module, images: Tensor, network: nn.Module) -> bool:
    """Return whether the copy runs a module of the network."""
    ran: list[nn.Module] = []
    with ExitStack() as hooks, torch.no_grad():
        for module in network.modules():
            hooks.callback(module.register_forward_pre_hook(lambda own, _: ran.append(own)).remove)
        made(images)
    return bool(ran)


def _tensors(module: nn.Module) -> list[Tensor]:
    own = vars(module)
    held = [*own.values(), *module.parameters(recurse=False), *module.buffers(recurse=False)]
    return [value for value in held if isinstance(value, Tensor)]
