"""Hooks that reduce every layer's output while the network runs, and that are gone after the `with`."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from torch import Tensor, nn

from ...common.errors import LayerError
from ..layers.layers import Layer, tensor_of
from ..running.trace import every_module_runs, first_tensor
from .feature import Feature, mean_activation, read_feature
from .reduce import Reduction, reduce

Reducer = Callable[[Tensor, Layer], Reduction]


@dataclass(frozen=True)
class Captured:
    """One forward pass. reductions: by layer name. feature: (images, width) float32, or None where none is wanted.

    means: by the names of the averaged layers, (images, units) float32.
    """

    reductions: dict[str, Reduction]
    feature: Tensor | None
    means: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class _Pass:
    """One thread's forward pass. times: how often each module ran so far."""

    times: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    starts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    reductions: dict[str, Reduction] = field(default_factory=dict)
    feature: Tensor | None = None
    means: dict[str, Tensor] = field(default_factory=dict)
    finished: bool = False


class _State(threading.local):
    """Each thread sees its own."""

    current: _Pass | None = None


class Capture:
    """`with Capture(network, layers, feature) as capture: logits = network(batch); captured = capture.take()`.

    Each output is reduced inside the hook, because an in-place operation after it may overwrite it. Several threads may
    run the same network under one Capture: each takes what its own last forward pass did. The pass is one call of
    `network` itself. `averaged`: layers whose mean over positions is wanted too. `reducer` stands in for
    `reduce.reduce`. Raises LayerError on entry where the network has no such module, and after a pass in which a layer
    did not run.
    """

    def __init__(
        self,
        network: nn.Module,
        layers: Sequence[Layer],
        feature: Feature | None,
        *,
        averaged: Sequence[Layer] = (),
        reducer: Reducer | None = None,
    ) -> None:
        self.network = network
        self._layers = tuple(layers)
        self._averaged = tuple(averaged)
        self._feature = feature
        self._reducer = reducer or reduce
        self._state = _State()
        self._hooks = ExitStack()

    def __enter__(self) -> "Capture":
        with ExitStack() as hooks:
            hooks.enter_context(every_module_runs())
            self._register(hooks)
            self._hooks = hooks.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hooks.close()

    def take(self) -> Captured:
        """Return what this thread's last forward pass did; it can be taken once."""
        done = self._state.current
        if done is None or not done.finished:
            raise RuntimeError(
                "nothing to take: run the network once, to its end, in this thread before each take()"
            )
        self._state.current = None
        return Captured(done.reductions, done.feature, done.means)

    def _register(self, hooks: ExitStack) -> None:
        modules = dict(self.network.named_modules())
        layers, averaged = _by_call(self._layers), _by_call(self._averaged)
        feature = self._feature
        wanted = layers.keys() | averaged.keys() | ({feature.module} if feature else set())
        if missing := sorted(wanted - modules.keys()):
            raise LayerError(f"the network has no module {missing[0]!r}; list its layers again")
        hooks.callback(self.network.register_forward_pre_hook(self._begin, prepend=True).remove)
        for name in sorted(wanted):
            module = modules[name]
            if feature is not None and name == feature.module and feature.source == "input":
                hooks.callback(
                    module.register_forward_pre_hook(self._before(feature), with_kwargs=True).remove
                )
            after = self._after(name, layers.get(name, {}), averaged.get(name, {}))
            hooks.callback(module.register_forward_hook(after).remove)
        hooks.callback(self.network.register_forward_hook(self._finish).remove)

    def _begin(self, _: nn.Module, __: tuple[object, ...]) -> None:
        self._state.current = _Pass()

    def _before(self, feature: Feature) -> Callable[[nn.Module, tuple[object, ...], dict[str, object]], None]:
        """Return the hook that reads the feature from what its module takes."""

        def hook(_: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
            state = self._pass()
            call = state.starts[feature.module]
            state.starts[feature.module] += 1
            if call == feature.call:
                taken = first_tensor(args)
                state.feature = read_feature(first_tensor(kwargs) if taken is None else taken, feature)

        return hook

    def _after(
        self, name: str, layers: dict[int, list[Layer]], averaged: dict[int, list[Layer]]
    ) -> Callable[[nn.Module, object, object], None]:
        """Return the hook that reduces what the module returns."""
        feature = self._feature if self._feature and self._feature.source == "output" else None
        wanted = feature if feature and feature.module == name else None

        def hook(_: nn.Module, __: object, output: object) -> None:
            state = self._pass()
            call = state.times[name]
            state.times[name] += 1
            for layer in layers.get(call, ()):
                state.reductions[layer.name] = self._reducer(tensor_of(output, layer), layer)
            for layer in averaged.get(call, ()):
                state.means[layer.name] = mean_activation(output, layer)
            if wanted is not None and call == wanted.call:
                state.feature = read_feature(output, wanted)

        return hook

    def _finish(self, _: nn.Module, __: object, ___: object) -> None:
        state = self._pass()
        silent = [layer.name for layer in self._layers if layer.name not in state.reductions]
        silent += [layer.name for layer in self._averaged if layer.name not in state.means]
        if silent:
            every = len(self._layers) + len(self._averaged)
            raise LayerError(
                f"layer {silent[0]} did not run in this forward pass ({len(silent)} of {every} did not); "
                "leave it out, or list the network's layers again"
            )
        if self._feature is not None and state.feature is None:
            raise LayerError(
                f"the feature's module {self._feature.module!r} did not run in this forward pass"
            )
        state.reductions = {layer.name: state.reductions[layer.name] for layer in self._layers}
        state.finished = True

    def _pass(self) -> _Pass:
        if self._state.current is None:
            raise RuntimeError(
                "a module of the network ran by itself: call the network that Capture was given"
            )
        return self._state.current


def _by_call(layers: Sequence[Layer]) -> dict[str, dict[int, list[Layer]]]:
    """Return module → call → the layers read there."""
    found: dict[str, dict[int, list[Layer]]] = {}
    for layer in layers:
        found.setdefault(layer.module, {}).setdefault(layer.call, []).append(layer)
    return found
