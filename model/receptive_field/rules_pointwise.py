"""Rules for operators that work element by element, with broadcasting."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .boxes import Boxes, Edge, broadcast, derive, largest_steps, union
from .rules import Call, rule, same_boxes

aten = torch.ops.aten


@rule(
    aten.add, aten.hardswish, aten.hardswish_, aten.mish_, aten.threshold_, aten._prelu_kernel, aten.prelu,
    aten.masked_fill_, aten.polar, aten.complex, aten.native_dropout, aten.log_sigmoid_forward, aten.view_as_real_copy,
)  # fmt: skip
def pointwise(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return the union of the operands, broadcast; every operator with the tag `pointwise` comes here.

    A local box leaves out an operand that is stretched over axes along which another one changes its place: the gate of
    a squeeze-and-excitation block, the mean of a normalisation, a global context.
    """
    return [_union(call, result) for result in results]


def _union(call: Call, result: Tensor) -> Boxes:
    tensors = [tensor for tensor in call.tensors if call.depends(tensor)]
    operands = [call.boxes(tensor) for tensor in tensors]
    if len(operands) == 1 and operands[0].shape == result.shape:
        return same_boxes(operands[0], result)
    arrays = [broadcast(operand, result.ndim) for operand in operands]
    placed = _placed(tensors, operands, result)

    def make(index: int, edge: Edge) -> Tensor:
        chosen = [
            array for array, has_place in zip(arrays, placed, strict=True) if has_place or not edge.local
        ]
        return union(array[index] for array in chosen)

    steps = largest_steps(boxes for boxes, has_place in zip(operands, placed, strict=True) if has_place)
    return derive(operands, result.shape, make, steps=steps)


def _placed(tensors: Sequence[Tensor], operands: Sequence[Boxes], result: Tensor) -> list[bool]:
    """Return whether each operand keeps its own place in the result; if none does, all do."""
    missing = [result.ndim - tensor.ndim for tensor in tensors]
    spatial = [{axis + gap for axis in boxes.varying()} for boxes, gap in zip(operands, missing, strict=True)]
    stretched = [_stretched(tensor, gap, result) for tensor, gap in zip(tensors, missing, strict=True)]
    placed = [
        not any(stretched[mine] & spatial[other] for other in range(len(tensors)) if other != mine)
        for mine in range(len(tensors))
    ]
    return placed if any(placed) else [True] * len(tensors)


def _stretched(tensor: Tensor, gap: int, result: Tensor) -> set[int]:
    """Return the axes of the result over which broadcasting stretches a tensor, or an `expand` has before."""
    return {
        axis
        for axis, size in enumerate(result.shape)
        if size > 1 and (axis < gap or tensor.shape[axis - gap] == 1 or tensor.stride(axis - gap) == 0)
    }
