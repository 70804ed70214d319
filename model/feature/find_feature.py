"""Find the feature of a network, the penultimate vector, by running it.

There is no table of architectures. The layer that makes the logits is the last one with parameters that the output
depends on, and its input is the feature if the output depends on the image through that input alone: with the input of
one batch put in place of another's, the first batch's output must come out. Where the classes are compared in a
`forward` of somebody's own (zero-shot and cosine heads, prototypes), `comparison.py` finds what is compared.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from ...common.closest import closest
from ...common.errors import LayerError
from ..capture.feature import Feature
from ..layers.layers import Layer, list_layers, name_of, read_call, tensor_index
from ..layers.output_kind import Classifier
from ..running.trace import Key, Probes, probe, undisturbed
from .comparison import Place, is_compared, is_hidden, places_of_comparison
from .intervene import Interventions
from .op_graph import OpGraph

OUTPUT = "output"
"""The name of the network's own output as a feature."""


COMPARED = "the vector that the network compares with its classes"


EMBEDDING = "the network's own output: vectors of length 1, an embedding and no scores of classes"


LOOK_BACK = 8
"""Try so many calls before the last as further heads beside it."""


def find_feature(
    network: nn.Module, input_size: tuple[int, int], *, device: torch.device | str = "cpu"
) -> Feature:
    """Return the input of the layer that makes the logits; without one, the network's own output.

    Of several heads that share the logits (distilled transformers), the first one's input: the class token.
    A classifier on a map (SqueezeNet's 1x1 convolution) gives the mean over positions.
    Raises LayerError where the output does not depend on the images, or where no such layer can be told.
    """
    probes = probe(network, input_size, device)
    with undisturbed(network, device):
        runs = Interventions(network, input_size, device)
        if runs.gives_embeddings():
            return replace(_feature(network, probes, ("", 0), input_size, source="output"), note=EMBEDDING)
        last = _last_call(probes, runs)
        heads = _heads(probes, runs, last) if last else []
        graph = runs.operators()
        places = places_of_comparison(graph) if is_hidden(graph, heads, last) else None
        if places is not None:
            return _compared(network, probes, runs, places=places, graph=graph, input_size=input_size)
    if heads:
        note = ""
        if len(heads) > 1:
            names = [name_of(head, probes) for head in heads]
            note = f"the input of {names[0]}; {', '.join(names[1:])} shares the logits with it"
        return replace(_feature(network, probes, heads[0], input_size, source="input"), note=note)
    _refuse_hidden_classifier(network, probes, runs, last)
    note = "the network's own output: no classifier was found in it"
    return replace(_feature(network, probes, ("", 0), input_size, source="output"), note=note)


def feature_named(
    network: nn.Module, input_size: tuple[int, int], name: str, *, device: torch.device | str = "cpu"
) -> Feature:
    """Return the feature that `name` gives: a layer's name for its output, `input:` and a module's name for its input
    (of call i with `:i`), or `output` for the network's own output.

    Maps and tokens are averaged over their positions. Raises LayerError where there is no such thing.
    """
    if name != OUTPUT and not name.startswith("input:"):
        return _output_named(network, input_size, name, device)
    probes = probe(network, input_size, device)
    if name == OUTPUT:
        return _feature(network, probes, ("", 0), input_size, source="output")
    keys = {f"input:{name_of(key, probes)}": key for key in probes.base.calls if key[0]}
    if name not in keys:
        raise LayerError(_unknown(name, list(keys)))
    return _feature(network, probes, keys[name], input_size, source="input")


def _output_named(
    network: nn.Module, input_size: tuple[int, int], name: str, device: torch.device | str
) -> Feature:
    layers = list_layers(network, input_size, device=device)
    found = next((layer for layer in layers.swept if layer.name == name), None)
    if found is None:
        reason = next((reason for refused, reason in layers.refused if refused == name), None)
        if reason is not None:
            raise LayerError(f"{name} cannot be the feature: {reason}")
        raise LayerError(_unknown(name, [layer.name for layer in layers.swept]))
    return Feature(found.module, found.call, "output", found.units, found.kind != "vector", found)


def _unknown(name: str, names: list[str]) -> str:
    close = closest(name, names, n=5, cutoff=0.4) or names[-5:]
    return (
        f"no feature is named {name!r}; the closest are {', '.join(close)}; name a layer for its output, "
        f"`input:MODULE` for a module's input, or `{OUTPUT}` for the network's own output"
    )


def _feature(
    network: nn.Module, probes: Probes, key: Key, input_size: tuple[int, int], *, source: str
) -> Feature:
    """Return the feature at one side of a call. Raises LayerError where that is not a vector, map or tokens."""
    modules = dict(network.named_modules())
    classifier = Classifier(input_size)
    name = name_of(key, probes) if key[0] else OUTPUT
    name = f"input:{name}" if source == "input" else name
    for earlier in probes.base.calls:
        if earlier == key:
            break
        read_call(probes, earlier, modules[earlier[0]], classifier)
    reading = read_call(probes, key, modules[key[0]], classifier, taken=source == "input")
    if isinstance(reading, str):
        raise LayerError(
            f"{name} cannot be the feature: {reading}; name another layer's output or `input:MODULE`"
        )
    value = probes.base.calls[key][source == "output"]
    index = None if source == "input" or value.single else tensor_index(value)
    layer = Layer(
        name, *key, reading.kind, reading.units, reading.height, reading.width, reading.unit_axis, reading.prefix,
        index, reading.batch_axis,
    )  # fmt: skip
    return Feature(*key, source, reading.units, reading.kind != "vector", layer)


def _compared(
    network: nn.Module,
    probes: Probes,
    runs: Interventions,
    *,
    places: Iterator[Place],
    graph: OpGraph,
    input_size: tuple[int, int],
) -> Feature:
    """Return the vector that is compared with the classes. Raises LayerError where no module takes or returns it."""
    tried: list[str] = []
    for place in places:
        try:
            feature = _feature(network, probes, place.key, input_size, source=place.source)
        except LayerError:
            continue
        tried.append(feature.name)
        alike = is_compared(graph, runs.read(feature))
        if alike or (place.exact and feature.width == _compared_width(graph)):
            return replace(feature, note=COMPARED)
    nearest = f" Near it are {', '.join(tried[:3])}." if tried else ""
    raise LayerError(
        "the feature cannot be told: the network compares images with its classes in a `forward` of its own, and no "
        f"module takes or returns the vector that it compares.{nearest} Name the feature with --feature: a layer for "
        f"its output, `input:MODULE` for a module's input, or `{OUTPUT}` for the network's own output"
    )


def _compared_width(graph: OpGraph) -> int | None:
    comparison = graph.last_comparison()
    if comparison is None:
        return None
    node = graph.nodes[comparison]
    return node.shapes[0][1 if node.op == "convolution" else -1]


def _last_call(probes: Probes, runs: Interventions) -> Key | None:
    """Return the last call of a module with parameters that the output depends on."""
    return next((key for key in reversed(runs.parametrised(probes)) if runs.reaches_output(key)), None)


def _heads(probes: Probes, runs: Interventions, last: Key) -> list[Key]:
    """Return the calls that make the logits together, in order of execution; none where the last call is no
    classifier.
    """
    if not runs.linear(last, probes):
        return []
    if runs.cuts([last]):
        return [last]
    for wrapper in _wrappers(probes, last):
        if runs.cuts([wrapper]):
            return [wrapper]
    heads = [last]
    calls = runs.parametrised(probes)
    before = calls[: calls.index(last)]
    for key in reversed(before[-LOOK_BACK:]):
        same_width = _width(probes, key) == _width(probes, last)
        if (
            same_width
            and runs.linear(key, probes)
            and runs.reaches_output(key)
            and not runs.reaches(key, heads)
        ):
            heads.insert(0, key)
            if runs.cuts(heads):
                return heads
    return []


def _width(probes: Probes, key: Key) -> int | None:
    shapes = probes.base.calls[key][1].shapes
    return shapes[0][-1] if shapes and shapes[0] else None


def _wrappers(probes: Probes, key: Key) -> list[Key]:
    """Return the containers of a call that make a vector from a vector, innermost first (adapters around a linear
    layer).
    """
    found: list[Key] = []
    path = key[0]
    while "." in path:
        path = path.rpartition(".")[0]
        call = probes.base.calls.get((path, 0))
        if call and all(len(value.shapes) == 1 and len(value.shapes[0] or ()) == 2 for value in call):
            found.append((path, 0))
    return found


def _refuse_hidden_classifier(
    network: nn.Module, probes: Probes, runs: Interventions, last: Key | None
) -> None:
    """Raise where a module that ends after the last call holds a matrix that could make the logits by itself."""
    order = list(probes.base.calls)
    modules = dict(network.named_modules())
    width = runs.width
    for name, _ in order[order.index(last) + 1 if last else 0 :]:
        for parameter, weight in modules[name].named_parameters(recurse=False):
            if weight.ndim == 2 and width in weight.shape:
                raise LayerError(
                    f"the feature cannot be told: {name or 'the network'} holds {parameter} {tuple(weight.shape)} "
                    f"itself and may make its {width} outputs with it; name the feature: a layer for its output, "
                    f"`input:MODULE` for a module's input, or `{OUTPUT}` for the network's own output"
                )
