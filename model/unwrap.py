"""Takes a network out of what would hide its modules from hooks: torch.compile and DataParallel."""

from typing import cast

import torch
from torch import nn

from ..common.errors import ModelSpecError

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def plain_network(network: nn.Module, name: str) -> nn.Module:
    """The network inside its wrappers, every module of which runs in Python.

    name: of the factory, for messages. Raises ModelSpecError for TorchScript, and for a compiled part of a network.
    """
    while (inside := _inside(network)) is not None:
        network = inside
    for path, module in network.named_modules():
        module._compiled_call_impl = None  # pyright: ignore[reportPrivateUsage]  # `module.compile()` sets it
        kind = _hidden_kind(module)
        if kind is not None:
            what = f"whose {path} is" if path else "that is"
            raise ModelSpecError(
                f"{name}() returned a network {what} {kind}, whose modules cannot be watched: return the plain "
                "torch.nn.Module that it was made from"
            )
    return network


def _inside(network: nn.Module) -> nn.Module | None:
    """What a wrapper wraps, or None."""
    if isinstance(network, _WRAPPERS):
        return cast("nn.Module", network.module)
    return cast("nn.Module", network._orig_mod) if _is_compiled(network) else None


def _hidden_kind(module: nn.Module) -> str | None:
    if isinstance(module, torch.jit.ScriptModule):
        return "TorchScript"
    return "the result of torch.compile" if _is_compiled(module) else None


def _is_compiled(network: nn.Module) -> bool:
    """By its name: to import torch's compiler takes seconds."""
    return type(network).__name__ == "OptimizedModule" and hasattr(network, "_orig_mod")
