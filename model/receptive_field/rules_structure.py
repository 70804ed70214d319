"""Rules for operators that only move elements: views, concatenation, padding, rolling, indexing."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from .boxes import EDGES, EMPTY, Boxes, Edge, broadcast, compact, derive, empty_boxes
from .rules import Call, guess, replayed, rule, same_boxes
from .windows import forward_taps, slide

aten = torch.ops.aten

_RESHAPES = {
    aten.view,
    aten._unsafe_view,
    aten._reshape_alias,
    aten.reshape,
    aten.squeeze,
    aten.unsqueeze,
    aten.flatten,
}
_REPLAYABLE_VIEWS = {
    aten.permute, aten.transpose, aten.t, aten.slice, aten.select, aten.expand, aten.split, aten.split_with_sizes,
    aten.chunk, aten.unbind, aten.narrow, aten.alias, aten.detach, aten.diagonal, aten.unfold,
}  # fmt: skip


def boxes_of_views(call: Call, results: Sequence[Tensor]) -> list[Boxes] | None:
    """Return the boxes of the views that an operator made; None where they must be read from the storage."""
    packet = call.func.overloadpacket
    source = call.operands[0]
    if packet in _RESHAPES and call.func != aten.view.dtype:
        shape = results[0].shape
        edges = tuple(compact(edge.reshape(shape)) for edge in source.expanded())
        return [Boxes(edges, shape, source.steps, source.guessed)]
    if packet in _REPLAYABLE_VIEWS:
        views = replayed(call, call.tensors[:1], results)
        return [_thinned(call, source, view) for view in views] if packet is aten.slice else views
    return None


def _thinned(call: Call, source: Boxes, view: Boxes) -> Boxes:
    """Return a slice that leaves positions out makes the steps larger (the patch merging of Swin)."""
    axis, every = call["dim"] % len(source.shape), call["step"]
    rows, columns = (
        step * every if every > 1 and axis in source.grid_axes(kind) else step
        for kind, step in enumerate(source.steps)
    )
    return Boxes(view.edges, view.shape, (rows, columns), view.guessed)


@rule(aten.cat)
def concatenated(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return one after the other; only the axes that some operand varies along are written out."""
    result = results[0]
    operands = [call.boxes(tensor) for tensor in call["tensors"] if tensor.numel()]
    axis = call["dim"] % result.ndim

    def make(index: int, _: Edge) -> Tensor:
        edges = [operand.edges[index] for operand in operands]
        longest = [max(edge.shape[at] for edge in edges) for at in range(result.ndim)]
        lengths = [operand.shape[axis] for operand in operands]
        return torch.cat(
            [
                edge.expand([length if at == axis else size for at, size in enumerate(longest)])
                for edge, length in zip(edges, lengths, strict=True)
            ],
            dim=axis,
        )

    return [derive(operands, result.shape, make)]


@rule(
    aten.stack, aten.index_select, aten.index, aten.gather, aten.take_along_dim, aten.roll, aten.flip, aten.repeat,
    aten.pixel_shuffle, aten.pixel_unshuffle, aten.native_channel_shuffle, aten.channel_shuffle, aten.repeat_interleave,
    aten.slice_scatter, aten.select_scatter, aten.rot90, aten.unfold_copy, aten.view_copy, aten.permute_copy,
    aten.block_diag, aten._unsafe_index, aten.take,
)  # fmt: skip
def moved(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return elements change their places; the boxes go with them."""
    sources = [tensor for tensor in call.tensors if tensor.is_floating_point() or tensor.is_complex()]
    if any(
        call.depends(tensor) for tensor in call.tensors if not any(tensor is source for source in sources)
    ):
        return guess(call, results)  # places chosen by the data, as in token pruning
    return replayed(call, sources, results)


@rule(
    aten.clone,
    aten._to_copy,
    aten.contiguous,
    aten.tril,
    aten.triu,
    aten.lift_fresh,
    aten.alias_copy,
    aten.detach_copy,
)
def kept(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return the same elements in the same places."""
    return [same_boxes(call.operands[0], result) for result in results]


@rule(aten.copy_)
def copied(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return what was there before is forgotten."""
    source = call.boxes(call["src"])
    return [Boxes(broadcast(source, results[0].ndim), results[0].shape, source.steps, source.guessed)]


@rule(
    aten.fill_, aten.zero_, aten.fill, aten.zeros_like, aten.ones_like, aten.full_like, aten.empty_like, aten.rand_like,
    aten.randn_like, aten.new_zeros, aten.new_ones, aten.new_full, aten.new_empty, aten.new_empty_strided,
    aten.normal_, aten.uniform_, aten.bernoulli_,
)  # fmt: skip
def forgotten(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return values that do not depend on the operands, or at most on their shape."""
    value = call.get("value")
    if isinstance(value, Tensor) and call.depends(value):
        return guess(call, results)
    return [empty_boxes(result.shape) for result in results]


@rule(aten.constant_pad_nd)
def padded(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Pad: padding sees nothing; affine boxes go on past the border. Negative padding cuts off."""
    boxes, axes = call.operands[0], results[0].ndim
    pads = list(call["pad"])
    for number, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        axis = axes - 1 - number
        if before or after:
            taps = forward_taps(results[0].shape[axis], kernel=1, stride=1, padding=before)
            boxes = slide(boxes, axis, taps, scale=1.0, spatial=(axes - 2, axes - 1))
    return [boxes]


@rule(
    aten.reflection_pad1d, aten.reflection_pad2d, aten.reflection_pad3d,
    aten.replication_pad1d, aten.replication_pad2d, aten.replication_pad3d,
)  # fmt: skip
def reflected(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Pad: padding sees what it repeats; affine boxes go on past the border."""
    boxes, axes = call.operands[0], results[0].ndim
    pads = list(call["padding"])
    reflects = "reflection" in str(call.func)
    for number, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        axis = axes - 1 - number
        size = boxes.shape[axis]
        if before or after:
            straight = forward_taps(size + before + after, kernel=1, stride=1, padding=before)
            folded = straight.clamp(0, size - 1)
            if reflects:
                folded = (size - 1) - ((straight.abs()) - (size - 1)).abs()
            exact = slide(boxes, axis, folded, scale=1.0, spatial=(axes - 2, axes - 1))
            affine = slide(boxes, axis, straight, scale=1.0, spatial=(axes - 2, axes - 1))
            pairs = zip(exact.edges, affine.edges, EDGES, strict=True)
            edges = tuple(past if edge.affine else inside for inside, past, edge in pairs)
            boxes = Boxes(edges, exact.shape, exact.steps, exact.guessed)
    return [boxes]


@rule(aten.im2col)
def unfolded(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return (N, C, H, W) to (N, C*kernel, positions): every tap of a window by itself."""
    boxes = call.operands[0]
    if results[0].ndim != 3:
        return guess(call, results)
    batch, channels, height, width = boxes.shape
    taps: list[Tensor] = []
    for at, size in enumerate((height, width)):
        kernel, dilation = call["kernel_size"][at], call["dilation"][at]
        stride, padding = call["stride"][at], call["padding"][at]
        outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        taps.append(forward_taps(outputs, kernel=kernel, stride=stride, padding=padding, dilation=dilation))
    rows, columns = taps
    grid = slide(boxes, 2, rows.T.reshape(-1, 1), scale=float(call["stride"][0]), spatial=(2, 3))
    grid = slide(grid, 3, columns.T.reshape(-1, 1), scale=float(call["stride"][1]), spatial=(2, 3))
    split = (batch, channels, rows.shape[1], rows.shape[0], columns.shape[1], columns.shape[0])
    edges = tuple(
        compact(edge.reshape(split).permute(0, 1, 2, 4, 3, 5).reshape(results[0].shape))
        for edge in grid.expanded()
    )
    return [Boxes(edges, results[0].shape, grid.steps, grid.guessed)]


@rule(aten.col2im)
def folded(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return (N, C*kernel, positions) to (N, C, H, W): the union of the windows that overlap at a place."""
    boxes, result = call.operands[0], results[0]
    if result.ndim != 4:
        return guess(call, results)
    places: list[tuple[int, int, int, int]] = []
    for at in (0, 1):
        kernel, dilation = call["kernel_size"][at], call["dilation"][at]
        stride, padding = call["stride"][at], call["padding"][at]
        length = result.shape[2 + at] + 2 * padding
        places.append((kernel, dilation, stride, (length - dilation * (kernel - 1) - 1) // stride + 1))
    (tall, down, row_stride, rows), (wide, right, column_stride, columns) = places
    top, left = call["padding"]
    batch, channels, height, width = result.shape

    def make(index: int, _: Edge) -> Tensor:
        source = boxes.edges[index].expand(boxes.shape).reshape(batch, channels, tall, wide, rows, columns)
        sheet = torch.full((batch, channels, height + 2 * top, width + 2 * left), EMPTY, dtype=torch.int32)
        for y, x in product(range(tall), range(wide)):
            ys = slice(y * down, y * down + (rows - 1) * row_stride + 1, row_stride)
            xs = slice(x * right, x * right + (columns - 1) * column_stride + 1, column_stride)
            sheet[:, :, ys, xs] = torch.minimum(sheet[:, :, ys, xs], source[:, :, y, x])
        return sheet[:, :, top : top + height, left : left + width]

    return [derive([boxes], result.shape, make)]
