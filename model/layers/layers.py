"""The layers of a network: every module whose output is a map, tokens or a vector, and choosing among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]

from ...common.closest import closest
from ...common.errors import LayerError
from ..running.trace import Key, Probes, Value, probe
from .output_kind import Classifier, Reading, Shapes

CHANNELS_FIRST = (
    _ConvNd,
    _BatchNorm,
    nn.GroupNorm,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Upsample,
)
"""Modules whose unit axis is 1 by definition; used only where the shapes leave it open."""


@dataclass(frozen=True)
class Layer:
    """One call of one module, and how to read its output.

    name: `features.10`; `block:1` for call 1 of a module that runs several times; `encoder.ln:cls` for prefix tokens.
    module: the dotted path, as `named_modules()` gives it. call: which call of the module, from 0.
    kind: `map`, `tokens` or `vector`: what the output is. An output (N, C, 1, 1) is a map of one position; (N, 1, C) is
    a vector.
    units: channels. height, width: the grid of positions; 1, 1 for vectors. unit_axis: the axis of the output that
    holds the units.
    prefix: how many leading tokens are not positions (class, registers, distillation). The layer of these tokens,
    `name:cls`, is a vector of prefix × C units: unit t × C + c is channel c of token t, and token 0 is the class token
    where there is one.
    output: the index into a tuple or list output (its first float tensor), None where the output is a tensor.
    batch_axis: the axis of the images: 0, or 1 for (T, N, C).
    """

    name: str
    module: str
    call: int
    kind: str
    units: int
    height: int
    width: int
    unit_axis: int
    prefix: int = 0
    output: int | None = None
    batch_axis: int = 0


@dataclass(frozen=True)
class LayerList:
    """swept: what can be swept, in order of execution. refused: (name, reason) of what cannot."""

    swept: tuple[Layer, ...]
    refused: tuple[tuple[str, str], ...]


def list_layers(
    network: nn.Module, input_size: tuple[int, int], *, device: torch.device | str = "cpu"
) -> LayerList:
    """Return every layer of `network`, which is on `device`, for images (N, 3, height, width).

    The network runs four times on noise and is left as it was. Raises LayerError where it fails on its own input size.

    >>> from unitscope.model import list_layers, load_model
    >>> model = load_model("network.py:small@random")
    >>> layers = list_layers(model.network, model.input_size).swept
    >>> [(layer.name, layer.kind, layer.units) for layer in layers[:3]]
    [('stem.0', 'map', 12), ('stem.1', 'map', 12), ('stem', 'map', 12)]
    """
    probes = probe(network, input_size, device)
    classifier = Classifier(input_size)
    modules = dict(network.named_modules())
    unstable = _unstable(probes)
    times = probes.base.times()
    swept: list[Layer] = []
    refused: list[tuple[str, str]] = []
    for key, (_, value) in probes.base.calls.items():
        module, call = key
        if not module or (module in unstable and call > 0):
            continue
        name = module if module in unstable else name_of(key, probes)
        reading = unstable.get(module) or read_call(probes, key, modules[module], classifier)
        if isinstance(reading, str):
            refused.append((name, reading))
        else:
            swept.extend(_layers(name, key, value, reading))
    silent = (
        (name, module)
        for name, module in modules.items()
        if name and not times[name] and name not in unstable
    )
    refused.extend((name, _why_silent(module)) for name, module in silent)
    return LayerList(tuple(swept), tuple(refused))


def select_layers(layers: LayerList, patterns: Sequence[str]) -> tuple[Layer, ...]:
    """Return the layers that exact names and globs choose, in order of execution, each once.

    The plain name of a module that runs several times chooses all its calls. Raises LayerError for a pattern that
    chooses nothing: with the reason where it names what cannot be swept, else with the closest names.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        names = _matching(layers, pattern)
        if not names:
            raise LayerError(_no_match(layers, pattern))
        chosen |= names
    return tuple(layer for layer in layers.swept if layer.name in chosen)


def as_grid(output: Tensor, layer: Layer) -> Tensor:
    """Return the layer's output as (images, units, height, width): a view wherever the memory allows one.

    Raises LayerError where the output has another shape than the layer says.
    """
    moved = output.movedim((layer.batch_axis, layer.unit_axis), (0, 1))
    if layer.kind == "vector" and layer.prefix:
        tokens = moved[:, :, : layer.prefix].transpose(1, 2)
        grid = tokens.reshape(len(tokens), tokens.shape[1] * tokens.shape[2], 1, 1)
    else:
        flat = moved.flatten(2)[:, :, layer.prefix :] if layer.kind == "tokens" else moved
        fits = flat.numel() == len(flat) * layer.units * layer.height * layer.width
        if layer.kind == "map":
            grid = flat
        else:
            grid = flat.reshape(len(flat), flat.shape[1], layer.height, layer.width) if fits else flat
    if grid.shape[1:] != (layer.units, layer.height, layer.width):
        raise LayerError(
            f"layer {layer.name} gave an output of shape {tuple(output.shape)}, not {layer.units} units on "
            f"{layer.height}x{layer.width} positions: feed images of the size that its layers were listed for"
        )
    return grid


def name_of(key: Key, probes: Probes) -> str:
    """Return `module`, or `module:call` where it runs several times."""
    module, call = key
    return f"{module}:{call}" if (module, 1) in probes.base.calls else module


def tensor_of(output: object, layer: Layer) -> Tensor:
    """Return the tensor that the layer reads, of what its module returned. Raises LayerError where there is none."""
    item = output
    if layer.output is not None and isinstance(output, tuple | list):
        item = output[layer.output] if layer.output < len(output) else None
    if not isinstance(item, Tensor):
        raise LayerError(f"layer {layer.name} returned {type(item).__name__} this time, not a tensor")
    return item


def read_call(
    probes: Probes, key: Key, module: nn.Module, classifier: Classifier, *, taken: bool = False
) -> Reading | str:
    """Return how to read what a call returned (or, if `taken`, its input), or why it cannot be read."""
    side = 0 if taken else 1
    value = probes.base.calls[key][side]
    index = tensor_index(value)
    if index is None:
        what = value.kind if value.single else f"{value.kind} without a float tensor"
        return f"it {'takes' if taken else 'returns'} {what}"

    def shape(calls: dict[Key, tuple[Value, Value]]) -> tuple[int, ...] | None:
        found = calls[key][side].shapes if key in calls else ()
        return found[index] if index < len(found) else None

    base = value.shapes[index]
    assert base is not None
    shapes = Shapes(base, shape(probes.more.calls), shape(probes.taller.calls), shape(probes.wider.calls))
    return classifier.read(shapes, unit_hint=_unit_hint(module))


def tensor_index(value: Value) -> int | None:
    """Return the first float tensor."""
    return next((index for index, shape in enumerate(value.shapes) if shape is not None), None)


def _unit_hint(module: nn.Module) -> int | None:
    if isinstance(module, CHANNELS_FIRST):
        return 1
    # Not the subclasses of LayerNorm: LayerNorm2d works channels-first.
    return -1 if isinstance(module, nn.Linear) or type(module) is nn.LayerNorm else None


def _layers(name: str, key: Key, value: Value, reading: Reading) -> list[Layer]:
    """Return the call's layer and, where it has prefix tokens, theirs."""
    module, call = key
    output = None if value.single else tensor_index(value)
    r = reading
    layer = Layer(
        name, module, call, r.kind, r.units, r.height, r.width, r.unit_axis, r.prefix, output, r.batch_axis
    )
    if not r.prefix:
        return [layer]
    units = r.prefix * r.units
    prefix = Layer(
        f"{name}:cls", module, call, "vector", units, 1, 1, r.unit_axis, r.prefix, output, r.batch_axis
    )
    return [layer, prefix]


def _unstable(probes: Probes) -> dict[str, str]:
    """Return the modules that run a different number of times for other images, and how often."""
    base = probes.base.times()
    reasons: dict[str, str] = {}
    for trace in (probes.more, probes.taller, probes.wider):
        if trace.error is None:
            times = trace.times()
            for name in sorted(base.keys() | times.keys()):
                if base[name] != times[name]:
                    reasons[name] = (
                        f"it ran {base[name]} times for some images and {times[name]} times for others"
                    )
    return reasons


def _why_silent(module: nn.Module) -> str:
    if isinstance(module, nn.ModuleList | nn.ModuleDict | nn.ParameterList | nn.ParameterDict):
        return f"it only holds other modules ({type(module).__name__}): name those"
    return "it does not run when the network classifies an image"


def _matching(layers: LayerList, pattern: str) -> set[str]:
    names = {layer.name for layer in layers.swept}
    if pattern in names:
        return {pattern}
    calls = {layer.name for layer in layers.swept if layer.name == f"{layer.module}:{layer.call}"}
    repeated = {layer.name for layer in layers.swept if layer.name in calls and layer.module == pattern}
    return repeated or {name for name in names if fnmatchcase(name, pattern)}


def _no_match(layers: LayerList, pattern: str) -> str:
    refused = [
        (name, reason) for name, reason in layers.refused if name == pattern or fnmatchcase(name, pattern)
    ]
    if refused:
        name, reason = refused[0]
        others = f" (and {len(refused) - 1} more that match {pattern!r})" if len(refused) > 1 else ""
        return f"layer {name} cannot be swept: {reason}{others}"
    names = [layer.name for layer in layers.swept]
    close = closest(pattern, names, n=5, cutoff=0.4) or names[:5]
    return (
        f"no layer matches {pattern!r}; the closest are {', '.join(close)}; `unitscope layers` lists them all"
    )
