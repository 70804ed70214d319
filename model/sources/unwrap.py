"""Takes a network out of what would hide its modules from hooks: torch.compile and DataParallel.

What hides them for good is refused: TorchScript, modules of torch.export, and quantised ones.
"""

import sys
from typing import Any, cast

import torch
from torch import nn

from ...common.errors import ModelSpecError

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def plain_network(network: nn.Module, name: str) -> nn.Module:
    """Return the network inside its wrappers, every module of which runs in Python.

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
                f"{name}() returned a network {what} {kind}: return the plain torch.nn.Module that it was made from"
            )
    return network


def _inside(network: nn.Module) -> nn.Module | None:
    """Return what a wrapper wraps, or None."""
    if isinstance(network, _WRAPPERS):
        return cast("nn.Module", network.module)
    return cast("nn.Module", network._orig_mod) if _is_compiled(network) else None


def _hidden_kind(module: nn.Module) -> str | None:
    """Return what cannot be watched about a module, and why; None for an ordinary one."""
    if isinstance(module, torch.jit.ScriptModule):
        return "TorchScript, whose modules cannot be watched"
    if _is_compiled(module):
        return "the result of torch.compile, whose modules cannot be watched"
    if _is_exported(module):
        return (
            "a module of torch.export or torch.fx that holds one graph of operators and no modules to watch"
        )
    if ".quantized" in type(module).__module__ and type(module).__module__.startswith(("torch.", "torchao.")):
        return (
            f"quantised ({type(module).__name__}): its integers have no gradients by the image, and scales that are "
            "chosen for each batch let images depend on each other"
        )
    return None


def _is_exported(module: nn.Module) -> bool:
    """Return a graph that calls ATen's operators and no layers. By `sys.modules`: whoever has one has imported
    torch.fx.
    """
    fx = sys.modules.get("torch.fx")
    if fx is None or not isinstance(module, fx.GraphModule):
        return False
    graph: Any = module.graph
    return any(type(node.target).__module__ == "torch._ops" for node in graph.nodes)


def _is_compiled(network: nn.Module) -> bool:
    """Tell by its name: to import torch's compiler takes seconds."""
    return type(network).__name__ == "OptimizedModule" and hasattr(network, "_orig_mod")
