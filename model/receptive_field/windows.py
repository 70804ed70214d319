"""Unions over sliding windows along one axis of an edge array: the arithmetic under convolutions, pools and padding."""

import torch
from torch import Tensor

from .boxes import EMPTY, HIGH, Boxes, Edge, compact

NOWHERE = -(1 << 20)


def forward_taps(outputs: int, *, kernel: int, stride: int, padding: int, dilation: int = 1) -> Tensor:
    """Return (outputs, kernel) int64: which input positions each output position reads; those outside are padding."""
    starts = torch.arange(outputs) * stride - padding
    return starts[:, None] + torch.arange(kernel) * dilation


def transposed_taps(outputs: int, *, kernel: int, stride: int, padding: int, dilation: int = 1) -> Tensor:
    """Return (outputs, most taps) int64: input i reaches output i*stride - padding + j*dilation for each j < kernel.

    Rows with fewer taps repeat one. An output that no tap reaches (a stride larger than the kernel) reads NOWHERE.
    """
    rows: list[list[int]] = []
    for output in range(outputs):
        reach = [output + padding - tap * dilation for tap in range(kernel)]
        rows.append([place // stride for place in reach if place % stride == 0])
    return _ragged(rows)


def adaptive_taps(inputs: int, outputs: int) -> Tensor:
    """Return (outputs, most taps) int64: window o is floor(o*inputs/outputs) … ceil((o+1)*inputs/outputs) - 1."""
    return _ragged(
        [list(range(o * inputs // outputs, -(-(o + 1) * inputs // outputs))) for o in range(outputs)]
    )


def matrix_taps(weights: Tensor) -> Tensor:
    """Return (outputs, most taps) int64: the input positions with a weight other than zero. weights: (outputs,
    inputs).
    """
    return _ragged([row.nonzero().flatten().tolist() for row in weights])


def _ragged(rows: list[list[int]]) -> Tensor:
    longest = max(1, *map(len, rows))
    full = [(row or [NOWHERE]) for row in rows]
    return torch.tensor([row + [row[-1]] * (longest - len(row)) for row in full])


def slide(boxes: Boxes, axis: int, taps: Tensor, *, scale: float, spatial: tuple[int, int]) -> Boxes:
    """Return the boxes of windows along one axis.

    axis: which, counted from 0. taps: (outputs, taps) int64 input positions. scale: by how many input positions
    neighbouring windows differ. spatial: the axes that are rows and columns, where boxes do not tell (one position).
    """
    size = boxes.shape[axis]
    shape = torch.Size([*boxes.shape[:axis], len(taps), *boxes.shape[axis + 1 :]])
    fallback = [boxes.steps[kind] if spatial[kind] == axis else 0.0 for kind in (0, 1)]
    edges = tuple(
        compact(_slide_edge(array, edge, axis, taps=taps, size=size, step=fallback[edge.axis]))
        for array, edge in boxes.pairs()
    )
    steps = [step * scale if spatial[kind] == axis else step for kind, step in enumerate(boxes.steps)]
    return Boxes(edges, shape, (steps[0], steps[1]), boxes.guessed)


def _slide_edge(array: Tensor, edge: Edge, axis: int, *, taps: Tensor, size: int, step: float) -> Tensor:
    inside = ((taps >= 0) & (taps < size)).any(dim=1)
    if array.shape[axis] == 1:
        if edge.affine:
            varies = size == 1 and step != 0
        else:
            varies = not bool(inside.all())
        if not varies:
            return array
        array = array.expand([size if at == axis else length for at, length in enumerate(array.shape)])
    if edge.affine:
        taps = _nearest_reached(taps)
        before, after = _outside(taps, size)
        array = _extend(array, axis, before, after, -step if edge.end == HIGH else step)
    else:
        taps = taps.clamp(-1, size)
        before, after = _outside(taps, size)
        array = _surround(array, axis, before, after)
    columns = [array.index_select(axis, column + before) for column in taps.unbind(1)]
    result = columns[0]
    for column in columns[1:]:
        result = torch.minimum(result, column)
    return result


def _outside(taps: Tensor, size: int) -> tuple[int, int]:
    """Return how many positions before the first and after the last are read."""
    return max(0, -int(taps.min())), max(0, int(taps.max()) + 1 - size)


def _nearest_reached(taps: Tensor) -> Tensor:
    """Return an output that nothing reaches still has a place on the affine grid: that of the output before it."""
    reached = taps.cummax(dim=0).values
    return torch.where(taps == NOWHERE, torch.where(reached == NOWHERE, 0, reached), taps)


def _surround(array: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Return empty boxes at both ends."""
    pieces = [_nothing(array, axis, before), array, _nothing(array, axis, after)]
    return torch.cat([piece for piece in pieces if piece.shape[axis]], dim=axis)


def _nothing(array: Tensor, axis: int, length: int) -> Tensor:
    shape = [length if at == axis else size for at, size in enumerate(array.shape)]
    return torch.full(shape, EMPTY, dtype=array.dtype)


def _extend(array: Tensor, axis: int, before: int, after: int, step: float) -> Tensor:
    """Return both ends continued in a straight line; where there is one position only, by `step`."""
    start = _line(array.flip(axis), axis, before, -step).flip(axis)
    pieces = [start, array, _line(array, axis, after, step)]
    return torch.cat([piece for piece in pieces if piece.shape[axis]], dim=axis)


def _line(array: Tensor, axis: int, count: int, step: float) -> Tensor:
    """Return `count` more positions after the last."""
    size = array.shape[axis]
    last = array.narrow(axis, size - 1, 1)
    ahead = torch.arange(1, count + 1).view([-1 if at == axis else 1 for at in range(array.ndim)])
    if size == 1:
        offsets = (ahead * step).round().to(array.dtype)
    else:
        neighbour = array.narrow(axis, size - 2, 1)
        slope = torch.where((last == EMPTY) | (neighbour == EMPTY), 0, last - neighbour)
        offsets = (ahead * slope).to(array.dtype)
    return torch.where(last == EMPTY, EMPTY, last + offsets).to(array.dtype)
