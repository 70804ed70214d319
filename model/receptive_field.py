"""Receptive fields of any architecture: which input pixels can a position of a layer depend on?

The network runs once, on one image, while `BoxTracker` carries the box of every element through every operator.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..common.errors import LayerError
from .box_arrays import EDGES, HIGH, LOW, Boxes, over
from .box_fit import Interval, Line, Profile, fit
from .box_tracker import BoxTracker
from .layers import Layer


@dataclass(frozen=True)
class ReceptiveField:
    """What the positions of a layer can see, in pixels of the model's input.

    Position (y, x) sees rows start_y + y*stride_y … + height - 1 and columns start_x + x*stride_x … + width - 1. This is not
    clipped: a field at the border reaches past the image, and start may be negative.

    The centre of a position's field is start + position*stride + (size - 1)/2. A layer whose positions all see the whole
    input (attention, squeeze-and-excitation) keeps the stride and the centres of its local field, and is made so large that
    it covers the input from every position: clipped, it is the truth, and its centre is still the position's own place.
    Vectors, and layers whose positions have no place even locally, have stride 0 and start and size of what they see.

    local_height, local_width: the field without global gates (squeeze-and-excitation, global context, normalisation over
    space, attention beyond the token's own place), around the same centre.

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
    """The receptive field of each layer, by name, for inputs (N, 3, *input_size).

    Raises LayerError for a layer whose module did not run.
    """
    boxes = layer_boxes(network, layers, input_size)
    return {layer.name: _field(layer, boxes[layer.name], input_size) for layer in layers}


def layer_boxes(network: nn.Module, layers: Sequence[Layer], input_size: tuple[int, int]) -> dict[str, Boxes]:
    """The boxes of each layer's output, element by element, by the layer's name."""
    images = _example(network, input_size)
    found: dict[str, Boxes] = {}
    tracker = BoxTracker(images)
    with ExitStack() as stack:
        stack.enter_context(_quiet(network))
        stack.enter_context(_recording(network, layers, tracker, found))
        stack.enter_context(tracker)
        network(images)
    missing = [layer.name for layer in layers if layer.name not in found]
    if missing:
        raise LayerError(
            f"layers that did not run on a {input_size[0]}x{input_size[1]} input: {', '.join(missing)}"
        )
    return found


def _example(network: nn.Module, input_size: tuple[int, int]) -> Tensor:
    """One image of noise, on the network's device and in its precision."""
    parameter = next((p for p in network.parameters() if p.is_floating_point()), torch.zeros(()))
    with torch.inference_mode(False):
        noise = torch.rand((1, 3, *input_size), generator=torch.Generator().manual_seed(0))
        return noise.to(device=parameter.device, dtype=parameter.dtype)


@contextmanager
def _quiet(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, attention taken apart; as it was before afterwards."""
    training = [module for module in network.modules() if module.training]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        for module in training:
            module.training = False
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for module in training:
            module.training = True


@contextmanager
def _recording(
    network: nn.Module, layers: Sequence[Layer], tracker: BoxTracker, found: dict[str, Boxes]
) -> Iterator[None]:
    """Hooks that keep the boxes of each layer at the moment its module returns, before anything overwrites them."""
    calls: Counter[str] = Counter()

    def keep(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: Any) -> None:
            for layer in layers:
                if layer.module == path and layer.call == calls[path]:
                    found[layer.name] = tracker.boxes(
                        output if layer.output is None else output[layer.output]
                    )
            calls[path] += 1

        return hook

    handles = [
        network.get_submodule(path).register_forward_hook(keep(path))
        for path in {layer.module for layer in layers}
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _field(layer: Layer, boxes: Boxes, input_size: tuple[int, int]) -> ReceptiveField:
    grid = layer.kind != "vector" and not layer.name.endswith(":cls")
    lines: list[tuple[Line, Line]] = []
    for axis, length in enumerate(input_size):
        intervals = [
            position_boxes(layer, boxes, axis, local=local, affine=affine)
            for local in (False, True)
            for affine in (False, True)
        ]
        profile = Profile(*intervals, step=boxes.steps[axis])
        lines.append(fit(profile, length, has_grid=grid))
    (rows, local_rows), (columns, local_columns) = lines
    return ReceptiveField(
        height=rows.size,
        width=columns.size,
        stride_y=rows.stride,
        stride_x=columns.stride,
        start_y=rows.start,
        start_x=columns.start,
        local_height=local_rows.size,
        local_width=local_columns.size,
        guessed=tuple(sorted(boxes.guessed)),
    )


def position_boxes(layer: Layer, boxes: Boxes, axis: int, *, local: bool, affine: bool) -> Interval:
    """The box of each position of a layer along one axis (0 rows, 1 columns): the union over units and the other axis."""
    ends: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    for end in (LOW, HIGH):
        index = next(
            i
            for i, edge in enumerate(EDGES)
            if (edge.local, edge.affine, edge.axis, edge.end) == (local, affine, axis, end)
        )
        grid = _grid(layer, boxes, boxes.edges[index])
        ends.append(grid.amin(1 - axis).numpy().astype(np.int64))
    return Interval(ends[LOW], -ends[HIGH])


def _grid(layer: Layer, boxes: Boxes, edge: Tensor) -> Tensor:
    """(height, width): an edge array with the units joined."""
    unit_axis = layer.unit_axis % edge.ndim
    edge = over(edge, [0, unit_axis])
    places = [axis for axis in range(1, edge.ndim) if axis != unit_axis]
    edge = edge.expand([boxes.shape[axis] if axis in places else 1 for axis in range(edge.ndim)]).flatten()
    if layer.name.endswith(":cls"):
        return edge[: layer.prefix].amin().reshape(1, 1)
    edge = edge[layer.prefix :] if layer.kind == "tokens" else edge
    return edge.amin().reshape(1, 1) if layer.kind == "vector" else edge.reshape(layer.height, layer.width)
