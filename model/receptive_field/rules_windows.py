"""Rules for convolutions, pools and resampling: windows along the spatial axes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .boxes import Boxes, Edge, derive, everything, over
from .rules import Call, rule, same_boxes
from .windows import adaptive_taps, forward_taps, matrix_taps, slide, transposed_taps

aten = torch.ops.aten


def _spread(values: Sequence[int] | int, axes: int) -> list[int]:
    """Return one value for each spatial axis."""
    values = [values] if isinstance(values, int) else list(values)
    return values * axes if len(values) == 1 else values


def _places(axes: int) -> tuple[int, int]:
    """Return the axes that are rows and columns by the convention (…, height, width); none for one spatial axis."""
    return (axes - 2, axes - 1) if axes >= 4 else (-1, -1)


@rule(
    aten.convolution,
    aten._convolution,
    aten.mkldnn_convolution,
    aten.cudnn_convolution,
    aten.miopen_convolution,
)
def convolved(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return windows over the spatial axes, the union over the input channels of a group."""
    source, weight, result = call.get("input", call.get("self")), call["weight"], results[0]
    boxes, transposed = call.boxes(source), bool(call.get("transposed", False))
    spatial = weight.ndim - 2
    batched = source.ndim == weight.ndim
    first = source.ndim - spatial
    strides, paddings = _spread(call["stride"], spatial), _spread(call["padding"], spatial)
    dilations = _spread(call["dilation"], spatial)
    for at in range(spatial):
        options = {
            "kernel": weight.shape[2 + at], "stride": strides[at], "padding": paddings[at], "dilation": dilations[at]
        }  # fmt: skip
        outputs = result.shape[first + at]
        taps = transposed_taps(outputs, **options) if transposed else forward_taps(outputs, **options)
        scale = 1 / strides[at] if transposed else float(strides[at])
        boxes = slide(
            boxes, first + at, taps, scale=scale, spatial=_places(source.ndim if batched else source.ndim + 1)
        )
    boxes = _mixed_channels(boxes, first - 1, call["groups"], result.shape[first - 1])
    return [_with_weight(call, weight, boxes)]


def _mixed_channels(boxes: Boxes, axis: int, groups: int, outputs: int) -> Boxes:
    """Return every output channel of a group sees every input channel of it."""
    shape = torch.Size([*boxes.shape[:axis], outputs, *boxes.shape[axis + 1 :]])

    def mix(edge: Tensor) -> Tensor:
        if edge.shape[axis] == 1 or groups == 1:
            return over(edge, [axis])
        group = edge.unflatten(axis, (groups, -1)).amin(axis + 1)
        return group.repeat_interleave(outputs // groups, dim=axis)

    return derive([boxes], shape, lambda index, _: mix(boxes.edges[index]))


def _with_weight(call: Call, weight: Tensor, boxes: Boxes) -> Boxes:
    """Return a weight that the data makes (a dynamic convolution) is a global gate."""
    if not call.depends(weight):
        return boxes
    made = call.boxes(weight)
    axes = len(boxes.shape)

    def add(index: int, edge: Edge) -> Tensor:
        own = boxes.edges[index]
        return own if edge.local else torch.minimum(own, everything(made.edges[index], axes))

    return derive([boxes, made], boxes.shape, add, steps=boxes.steps)


@rule(
    aten.max_pool2d_with_indices, aten.max_pool3d_with_indices, aten.max_pool1d, aten.max_pool2d, aten.max_pool3d,
    aten.avg_pool1d, aten.avg_pool2d, aten.avg_pool3d, aten.mkldnn_max_pool2d, aten.max_pool1d_with_indices,
)  # fmt: skip
def pooled(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return windows over the spatial axes; a last window that hangs over (`ceil_mode`) sees what is there."""
    boxes, result = call.operands[0], results[0]
    kernel_length = {"1": 1, "2": 2, "3": 3}[next(c for c in str(call.func.overloadpacket) if c.isdigit())]
    first = result.ndim - kernel_length
    kernels = _spread(call["kernel_size"], kernel_length)
    strides = _spread(call["stride"] or kernels, kernel_length)
    paddings = _spread(call["padding"], kernel_length)
    dilations = _spread(call.get("dilation", 1), kernel_length)
    for at in range(kernel_length):
        taps = forward_taps(
            result.shape[first + at],
            kernel=kernels[at],
            stride=strides[at],
            padding=paddings[at],
            dilation=dilations[at],
        )
        boxes = slide(boxes, first + at, taps, scale=float(strides[at]), spatial=_places(result.ndim))
    return [same_boxes(boxes, each) for each in results]


@rule(
    aten._adaptive_avg_pool2d, aten._adaptive_avg_pool3d, aten.adaptive_max_pool2d, aten.adaptive_max_pool3d,
    aten.adaptive_avg_pool2d, aten.adaptive_avg_pool3d, aten.mkldnn_adaptive_avg_pool2d,
)  # fmt: skip
def adaptively_pooled(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return windows of nearly equal length that cover the axis together; one for all is a global pool, without
    steps.
    """
    boxes, result = call.operands[0], results[0]
    for axis in range(result.ndim - len(call["output_size"]), result.ndim):
        inputs, outputs = boxes.shape[axis], result.shape[axis]
        scale = inputs / outputs if outputs > 1 or inputs == 1 else 0.0
        boxes = slide(boxes, axis, adaptive_taps(inputs, outputs), scale=scale, spatial=_places(result.ndim))
    return [same_boxes(boxes, each) for each in results]


@rule(
    aten.upsample_nearest2d, aten._upsample_nearest_exact2d, aten.upsample_bilinear2d, aten.upsample_bicubic2d,
    aten._upsample_bilinear2d_aa, aten._upsample_bicubic2d_aa, aten._upsample_lanczos2d_aa,
)  # fmt: skip
def resampled(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return which inputs reach which outputs is asked of the operator itself, one axis at a time."""
    boxes, result = call.operands[0], results[0]
    for axis in (2, 3):
        inputs, outputs = boxes.shape[axis], result.shape[axis]
        taps = matrix_taps(_weights(call, axis, inputs, outputs))
        boxes = slide(boxes, axis, taps, scale=inputs / outputs, spatial=(2, 3))
    return [boxes]


def _weights(call: Call, axis: int, inputs: int, outputs: int) -> Tensor:
    """Return (outputs, inputs): how much each input position adds to each output position along one axis."""
    size = [outputs, 1] if axis == 2 else [1, outputs]
    changed = {"output_size": size, ("scales_w" if axis == 2 else "scales_h"): None}
    columns: list[Tensor] = []
    for probe in torch.eye(inputs).split(64):
        shaped = probe[None, :, :, None] if axis == 2 else probe[None, :, None, :]
        values = {**call, **changed, "self" if "self" in call else "input": shaped}
        columns.append(call.func(**values).flatten(2)[0])
    return torch.cat(columns).T
