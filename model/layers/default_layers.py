"""The layers swept by default: normalised convolutions, residual and transformer blocks, the head's linear layers.

Found by running the network: a normalisation belongs to a convolution if it takes that convolution's very output, and a
block is a module that adds two tensors of one shape itself, outside of its children.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]
from torch.overrides import TorchFunctionMode

from ...common.errors import LayerError
from ..running.trace import Key, first_tensor, random_images, undisturbed
from .layers import Layer, LayerList

ADDITIONS = frozenset({"add", "add_", "__add__", "__iadd__", "__radd__"})

MANY_ADDITIONS = 4
"""A module that adds more often than this is not one block but a stack of them, whose branches are the blocks."""


def default_layers(
    network: nn.Module, layers: LayerList, input_size: tuple[int, int], *, device: torch.device | str = "cpu"
) -> tuple[Layer, ...]:
    """Return the layers of `layers` that are swept when none are named, in order of execution.

    Each convolution's output after the normalisation that follows it, the outputs of residual and transformer blocks
    (and their prefix tokens), and the linear layers that make vectors outside of blocks. Raises LayerError where the
    network has none of these.
    """
    with undisturbed(network, device), _Watch(network) as watch:
        network(random_images(network, 2, input_size, device, seed=4))
    modules = dict(network.named_modules())
    grids = {layer.module for layer in layers.swept if layer.kind != "vector"}
    chosen = watch.normalised() | watch.blocks()
    chosen |= {
        (layer.module, layer.call)
        for layer in layers.swept
        if layer.kind == "vector" and not layer.prefix and isinstance(modules[layer.module], nn.Linear)
        if not any(parent in grids for parent in _parents(layer.module))
    }
    found = tuple(layer for layer in layers.swept if (layer.module, layer.call) in chosen)
    if not found:
        raise LayerError(
            "the network has no convolutions, blocks or linear layers that can be swept; name layers: "
            "`unitscope layers` lists them"
        )
    return found


class _Watch(TorchFunctionMode):
    """One forward pass: which call normalises which convolution's output, and which calls add."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.convolutions: list[Key] = []
        self._followers: dict[Key, Key] = {}
        self._summands: set[Key | None] = set()
        self._network = network
        self._outputs: list[tuple[Key, Tensor, int]] = []
        self._made: dict[int, tuple[Key, Tensor]] = {}
        self._additions: dict[Key, list[set[Key]]] = {}
        self._starts: Counter[str] = Counter()
        self._open: list[Key] = []
        self._hooks = ExitStack()

    def __enter__(self) -> "_Watch":
        for name, module in self._network.named_modules():
            self._hooks.callback(
                module.register_forward_pre_hook(self._before(name), with_kwargs=True).remove
            )
            self._hooks.callback(module.register_forward_hook(self._after()).remove)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._hooks.close()
        self._outputs.clear()
        self._made.clear()

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note an addition of two tensors of one shape against the innermost module that runs."""
        if getattr(func, "__name__", "") not in ADDITIONS:
            return func(*args, **(kwargs or {}))
        pair = [item for item in args[:2] if isinstance(item, Tensor)]
        for item in pair:
            self._summands.add(self._convolution(item))
        if len(pair) == 2 and pair[0].shape == pair[1].shape:
            branches = {self._made[id(item)][0] for item in pair if id(item) in self._made}
            if self._open and pair[0].ndim >= 3:
                self._additions.setdefault(self._open[-1], []).append(branches)
        return func(*args, **(kwargs or {}))

    def normalised(self) -> set[Key]:
        """Return for each convolution the normalisation that takes its output, unless a residual path takes that
        too.
        """
        return {
            conv if conv in self._summands else self._followers.get(conv, conv) for conv in self.convolutions
        }

    def blocks(self) -> set[Key]:
        """Return the calls that add, and the branches of those that add many times."""
        stacks = {key for key, added in self._additions.items() if len(added) > MANY_ADDITIONS}
        branches = {branch for key in stacks for added in self._additions[key] for branch in added}
        return set(self._additions) | branches

    def _before(self, name: str) -> Callable[[nn.Module, tuple[object, ...], dict[str, object]], None]:
        def hook(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
            key = name, self._starts[name]
            self._starts[name] += 1
            self._open.append(key)
            taken = first_tensor(args)
            taken = first_tensor(kwargs) if taken is None else taken
            if taken is not None and _is_normalisation(module):
                conv = self._convolution(taken)
                if conv is not None:
                    self._followers.setdefault(conv, key)

        return hook

    def _after(self) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, _: object, output: object) -> None:
            key = self._open.pop()
            tensor = first_tensor(output)
            if tensor is None:
                return
            # Kept until the end of the pass, so that no later tensor gets the same memory or identity.
            self._made[id(tensor)] = key, tensor
            if isinstance(module, _ConvNd):
                self.convolutions.append(key)
                self._outputs.append((key, tensor, tensor._version))

        return hook

    def _convolution(self, taken: Tensor) -> Key | None:
        """Return the convolution whose output this is: the same memory, perhaps permuted, not written to since."""
        for key, output, version in reversed(self._outputs):
            same = output.untyped_storage().data_ptr() == taken.untyped_storage().data_ptr()
            if same and output.numel() == taken.numel() and taken._version == version:
                return key
        return None


def _is_normalisation(module: nn.Module) -> bool:
    """Tell by what it is or says it is: its class is named so, or it holds running statistics."""
    named = any("norm" in kind.__name__.lower() for kind in type(module).__mro__)
    holds = {name for name, _ in module.named_buffers(recurse=False)} >= {"running_mean", "running_var"}
    convolves = any(isinstance(child, _ConvNd | nn.Linear) for child in module.modules())
    return (named or holds) and not convolves


def _parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]
