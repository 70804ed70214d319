"""Running a network under hooks to learn what each of its modules returns, and leaving it as it was."""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...common.errors import LayerError
from .checkpointing import no_checkpointing

Key = tuple[str, int]
"""A module's dotted path and which call of it."""

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Value:
    """What a module took or returned, without its numbers.

    shapes: of the tensor, or of each item of a tuple or list; None for an item that is not a float tensor.
    single: it is one tensor. kind: its type (a tensor's dtype where that is not a float), for messages.
    """

    shapes: tuple[tuple[int, ...] | None, ...]
    single: bool
    kind: str


@dataclass(frozen=True)
class Trace:
    """One forward pass. calls: (input, output) of each call, in the order in which the calls ended.

    error: what the network raised; the calls before it are there.
    """

    calls: dict[Key, tuple[Value, Value]]
    error: Exception | None

    def times(self) -> Counter[str]:
        """Return how often each module ran."""
        return Counter(module for module, _ in self.calls)


@dataclass(frozen=True)
class Probes:
    """The same network run on other inputs: two images, three, twice as high, twice as wide."""

    base: Trace
    more: Trace
    taller: Trace
    wider: Trace


def probe(network: nn.Module, input_size: tuple[int, int], device: torch.device | str) -> Probes:
    """Run the network four times; where it takes only one size, the traces of the others end at the error.

    Raises LayerError where the network fails on its own input size.
    """
    height, width = input_size
    with undisturbed(network, device):
        base = _run(network, random_images(network, 2, (height, width), device, seed=0))
        more = _run(network, random_images(network, 3, (height, width), device, seed=1))
        for images, ran in ((2, base), (3, more)):
            if ran.error is not None:
                raise LayerError(
                    f"the network fails on {images} images of {height}x{width}: {type(ran.error).__name__}: "
                    f"{ran.error}; give the input size that it was made for"
                ) from ran.error
        taller = _run(network, random_images(network, 2, (2 * height, width), device, seed=2))
        wider = _run(network, random_images(network, 2, (height, 2 * width), device, seed=3))
    return Probes(base, more, taller, wider)


def random_images(
    network: nn.Module, images: int, size: tuple[int, int], device: torch.device | str, *, seed: int
) -> Tensor:
    """Return (images, 3, height, width) of normal noise, in the dtype of the network's parameters."""
    dtype = next((p.dtype for p in network.parameters() if p.dtype in FLOATS), torch.float32)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, 3, *size, generator=generator).to(device, dtype)


def first_tensor(value: object) -> Tensor | None:
    """Return the tensor, or the first one in a tuple, a list or a dict."""
    if isinstance(value, Tensor):
        return value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return next((item for item in items if isinstance(item, Tensor)), None)


def describe(value: object) -> Value:
    """Return the shapes of what a module took or returned."""
    if isinstance(value, Tensor):
        if value.dtype not in FLOATS:
            return Value((), single=True, kind=f"a tensor of {value.dtype}")
        return Value((tuple(value.shape),), single=True, kind="a tensor")
    if isinstance(value, tuple | list):
        shapes = [
            tuple(item.shape) if isinstance(item, Tensor) and item.dtype in FLOATS else None for item in value
        ]
        return Value(tuple(shapes), single=False, kind=type(value).__name__)
    return Value((), single=False, kind=type(value).__name__)


def _run(network: nn.Module, images: Tensor) -> Trace:
    """Return one forward pass under hooks that are removed again."""
    calls: dict[Key, tuple[Value, Value]] = {}
    times: Counter[str] = Counter()
    with ExitStack() as hooks:
        for name, module in network.named_modules():

            def after(
                _: nn.Module,
                args: tuple[object, ...],
                kwargs: dict[str, object],
                output: object,
                name: str = name,
            ) -> None:
                taken = first_tensor(args)
                taken = first_tensor(kwargs) if taken is None else taken
                calls[name, times[name]] = describe(taken), describe(output)
                times[name] += 1

            hooks.callback(module.register_forward_hook(after, with_kwargs=True).remove)
        try:
            network(images)
        except Exception as error:  # noqa: BLE001 - someone's network may raise anything; the caller judges
            return Trace(calls, error)
    return Trace(calls, None)


@contextmanager
def undisturbed(network: nn.Module, device: torch.device | str) -> Generator[None]:
    """Run the network inside without gradients; its buffers and the random state are as before afterwards.

    Not inference mode: a table that a network makes on its first forward would be barred from gradients for ever.
    """
    device = torch.device(device)
    saved = [
        (module, name, buffer, buffer.detach().clone())
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    cuda = device.type == "cuda"
    devices = [
        torch.device(device.type, torch.cuda.current_device()) if device == torch.device("cuda") else device
    ]
    with torch.random.fork_rng(devices if cuda else []), torch.no_grad(), every_module_runs():
        try:
            yield
        finally:
            for module, name, buffer, value in saved:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)
                setattr(module, name, buffer)


_fastpath_lock = threading.Lock()
_fastpath_users = [0, True]
"""How many want every module to run, and the setting to go back to."""


@contextmanager
def every_module_runs() -> Generator[None]:
    """Switch off what passes by modules or runs them twice: fused attention layers and activation checkpointing.

    PyTorch leaves the fast path of a `TransformerEncoderLayer` where something in it is hooked, and there alone, so
    the choice of layers would change the numbers of the network.
    """
    with _fastpath_lock:
        if _fastpath_users[0] == 0:
            _fastpath_users[1] = torch.backends.mha.get_fastpath_enabled()
            torch.backends.mha.set_fastpath_enabled(False)
        _fastpath_users[0] += 1
    try:
        with no_checkpointing():
            yield
    finally:
        with _fastpath_lock:
            _fastpath_users[0] -= 1
            if _fastpath_users[0] == 0:
                torch.backends.mha.set_fastpath_enabled(bool(_fastpath_users[1]))
