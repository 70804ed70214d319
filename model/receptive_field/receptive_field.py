"""Receptive fields of any architecture: which input pixels can a position of a layer depend on?

The network runs once, on one image, while `BoxTracker` carries the box of every element through every operator.
"""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...common.errors import LayerError
from ..layers.layers import Layer, tensor_of
from ..running.trace import random_images, undisturbed
from .boxes import EDGES, HIGH, LOW, Boxes, Edge, over
from .fit import Interval, Line, Profile, fit
from .tracker import BoxTracker


@dataclass(frozen=True)
class ReceptiveField:
    """What the positions of a layer can see, in pixels of the model's input.

    Position (y, x) sees rows start_y + y*stride_y … + height - 1 and columns start_x + x*stride_x … + width - 1. Not
    clipped: a field at the border reaches past the image, and start may be negative.

    The centre of a position's field is start + position*stride + (size - 1)/2. A layer whose positions all see the
    whole input (attention, squeeze-and-excitation) keeps the stride and the centres of its local field, and is made so
    large that it covers the input from every position: clipped, it is the truth, and its centre is still the position's
    own place. Vectors, and layers whose positions have no place even locally, have stride 0 and start and size of what
    they see.

    local_height, local_width: the field without global gates (squeeze-and-excitation, global context, normalisation
    over space, attention beyond the token's own place), around the same centre.

    guessed: operators on the way that have no rule; the field is then never too small, but may be too large.
    """

    height: int
    width: int
    stride_y: int
    stride_x: int
    start_y: int
    start_x: int
    local_height: int
    local_width: int
    guessed: tuple[str, ...] = ()


def receptive_fields(
    network: nn.Module, layers: Sequence[Layer], input_size: tuple[int, int]
) -> dict[str, ReceptiveField]:
    """Return the receptive field of each layer, by name, for inputs (N, 3, *input_size).

    Raises LayerError for a layer whose module did not run.

    >>> from torch import nn
    >>> from unitscope.model import list_layers
    >>> from unitscope.model.receptive_field import receptive_fields
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    >>> layers = list_layers(network.eval(), (32, 32)).swept
    >>> field = receptive_fields(network, layers, (32, 32))["2"]
    >>> field.height, field.stride_y, field.start_y
    (9, 2, -4)
    """
    boxes = layer_boxes(network, layers, input_size)
    return {layer.name: _field(layer, boxes[layer.name], input_size) for layer in layers}


@dataclass(frozen=True)
class UnitFields:
    """What the units of a layer see.

    whole: all units together. branch: (units,) int64, for each unit the number of its field in `branches`; both are
    None and empty where all units see the same, and for vectors.
    """

    whole: ReceptiveField
    branch: NDArray[np.int64] | None = None
    branches: tuple[ReceptiveField, ...] = ()


def unit_fields(
    network: nn.Module, layers: Sequence[Layer], input_size: tuple[int, int]
) -> dict[str, UnitFields]:
    """Return the receptive fields of each layer's units, by the layer's name.

    Units differ where a layer concatenates branches (inception, fire, dense blocks). Raises as `receptive_fields`.
    """
    boxes = layer_boxes(network, layers, input_size)
    return {layer.name: _unit_fields(layer, boxes[layer.name], input_size) for layer in layers}


def _unit_fields(layer: Layer, boxes: Boxes, input_size: tuple[int, int]) -> UnitFields:
    whole = _field(layer, boxes, input_size)
    branch = None if layer.kind == "vector" else _branch_of_units(layer, boxes)
    if branch is None:
        return UnitFields(whole)
    fields = [
        _field(layer, _of_units(layer, boxes, np.flatnonzero(branch == number)), input_size)
        for number in range(int(branch.max()) + 1)
    ]
    distinct = list(dict.fromkeys(fields))
    if len(distinct) == 1:
        return UnitFields(whole)
    merged = np.array([distinct.index(field) for field in fields], np.int64)
    return UnitFields(whole, merged[branch], tuple(distinct))


def _branch_of_units(layer: Layer, boxes: Boxes) -> NDArray[np.int64] | None:
    """Return (units,) int64: units with the same number have the same boxes everywhere; None where all have."""
    axis = layer.unit_axis % len(boxes.shape)
    varying = [edge for edge in boxes.edges if edge.shape[axis] > 1]
    if not varying:
        return None
    rows = torch.cat([edge.movedim(axis, 0).flatten(1) for edge in varying], dim=1).numpy()
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # numbered in the order of the units
    return order[inverse.reshape(-1)].astype(np.int64)


def _of_units(layer: Layer, boxes: Boxes, units: NDArray[np.int64]) -> Boxes:
    """Return the boxes of some units of a layer."""
    axis = layer.unit_axis % len(boxes.shape)
    chosen = torch.from_numpy(units)
    edges = tuple(edge.index_select(axis, chosen) if edge.shape[axis] > 1 else edge for edge in boxes.edges)
    shape = torch.Size([len(units) if at == axis else size for at, size in enumerate(boxes.shape)])
    return Boxes(edges, shape, boxes.steps, boxes.guessed)


def layer_boxes(network: nn.Module, layers: Sequence[Layer], input_size: tuple[int, int]) -> dict[str, Boxes]:
    """Return the boxes of each layer's output, element by element, by the layer's name."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    found: dict[str, Boxes] = {}
    with torch.inference_mode(False), undisturbed(network, device), _evaluating(network):
        images = random_images(network, 1, input_size, device, seed=0)
        tracker = BoxTracker(images)

        def keep(layer: Layer, output: Tensor) -> None:
            found[layer.name] = tracker.boxes(output)

        with each_output(network, layers, keep), tracker:
            network(images)
    missing = [layer.name for layer in layers if layer.name not in found]
    if missing:
        raise LayerError(
            f"{', '.join(missing)} did not run on a {input_size[0]}x{input_size[1]} image; "
            "list the network's layers again"
        )
    return found


@contextmanager
def _evaluating(network: nn.Module) -> Generator[None]:
    """Enter evaluation mode inside; as it was before afterwards."""
    training = [module for module in network.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def each_output(
    network: nn.Module, layers: Sequence[Layer], use: Callable[[Layer, Tensor], None]
) -> Generator[None]:
    """Call `use` with each layer's output as its module returns, before anything overwrites it: for one pass."""
    calls: Counter[str] = Counter()
    wanted: dict[str, list[Layer]] = {}
    for layer in layers:
        wanted.setdefault(layer.module, []).append(layer)

    def hook_of(path: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            call = calls[path]
            calls[path] += 1
            for layer in wanted[path]:
                if layer.call == call:
                    use(layer, tensor_of(output, layer))

        return hook

    with ExitStack() as hooks:
        for path in wanted:
            hooks.callback(network.get_submodule(path).register_forward_hook(hook_of(path)).remove)
        yield


def _field(layer: Layer, boxes: Boxes, input_size: tuple[int, int]) -> ReceptiveField:
    grid = layer.kind != "vector"
    fitted: list[tuple[Line, int]] = []
    for axis, length in enumerate(input_size):
        kinds = [(False, False), (False, True), (True, False), (True, True)]
        intervals = [
            position_boxes(layer, boxes, axis, local=local, affine=affine) for local, affine in kinds
        ]
        profile = Profile(*intervals, step=boxes.steps[axis])
        fitted.append(fit(profile, length, has_grid=grid))
    (rows, local_height), (columns, local_width) = fitted
    return ReceptiveField(
        height=rows.size,
        width=columns.size,
        stride_y=rows.stride,
        stride_x=columns.stride,
        start_y=rows.start,
        start_x=columns.start,
        local_height=local_height,
        local_width=local_width,
        guessed=tuple(sorted(boxes.guessed)),
    )


def position_boxes(layer: Layer, boxes: Boxes, axis: int, *, local: bool, affine: bool) -> Interval:
    """Return the box of each position along one axis (0 rows, 1 columns): the union over units and over the other
    axis.
    """
    low, high = (
        _grid(layer, boxes, boxes.edges[EDGES.index(Edge(local, affine, axis, end))]).amin(1 - axis)
        for end in (LOW, HIGH)
    )
    return Interval(low.numpy().astype(np.int64), -high.numpy().astype(np.int64))


def _grid(layer: Layer, boxes: Boxes, edge: Tensor) -> Tensor:
    """Return (height, width): an edge array with the units joined, the positions in the order of `layers.as_grid`."""
    joined = {layer.batch_axis % edge.ndim, layer.unit_axis % edge.ndim}
    edge = over(edge, sorted(joined))
    places = edge.expand([1 if at in joined else size for at, size in enumerate(boxes.shape)]).flatten()
    if layer.kind == "vector":
        return (places[: layer.prefix] if layer.prefix else places).amin().reshape(1, 1)
    places = places[layer.prefix :] if layer.kind == "tokens" else places
    if places.numel() != layer.height * layer.width:
        raise LayerError(
            f"layer {layer.name} gave an output of shape {tuple(boxes.shape)}, which is not a grid of "
            f"{layer.height}x{layer.width} positions; list the network's layers again, or leave this one out"
        )
    return places.reshape(layer.height, layer.width)
