"""Rules for operators that join elements along whole axes: reductions, normalisations, softmax, products, attention."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .boxes import COLUMNS, ROWS, Boxes, Edge, broadcast, derive, everything, largest_steps, over, union
from .rules import Call, everything_for_each, rule, same_boxes
from .rules_pointwise import pointwise

aten = torch.ops.aten


def _axes(value: Sequence[int] | int | None, count: int) -> list[int]:
    """Return axes as ATen takes them: one, several, negative; none or an empty list means all."""
    if value is None or value == []:
        return list(range(count))
    return [axis % count for axis in ([value] if isinstance(value, int) else value)] if count else []


def reduced(boxes: Boxes, axes: Sequence[int], *, keep: bool) -> Boxes:
    """Return the union over some axes; a row or column of positions that is joined has no step any more."""
    joined = [bool(boxes.grid_axes(kind) & set(axes)) for kind in (ROWS, COLUMNS)]
    steps = (0.0 if joined[ROWS] else boxes.steps[ROWS], 0.0 if joined[COLUMNS] else boxes.steps[COLUMNS])
    kept = [axis for axis in range(len(boxes.shape)) if keep or axis not in axes]
    shape = torch.Size([1 if axis in axes else boxes.shape[axis] for axis in kept])

    def make(index: int, _: Edge) -> Tensor:
        edge = over(boxes.edges[index], axes)
        return edge.reshape([edge.shape[axis] for axis in kept])

    return derive([boxes], shape, make, steps=steps)


@rule(
    aten.mean, aten.sum, aten.amax, aten.amin, aten.prod, aten.var, aten.std, aten.var_mean, aten.std_mean, aten.norm,
    aten.linalg_vector_norm, aten.max, aten.min, aten.argmax, aten.argmin, aten.logsumexp, aten.median, aten.nanmedian,
    aten.any, aten.all, aten.mode, aten.kthvalue, aten.aminmax, aten.nansum, aten.count_nonzero,
)  # fmt: skip
def reductions(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return the union over the axes that disappear."""
    if "other" in call:  # max and min of two tensors
        return pointwise(call, results)
    if "dim" not in call:
        return everything_for_each(call, results)
    source = call.operands[0]
    axes = _axes(call["dim"], len(source.shape))
    joined = reduced(source, axes, keep=bool(call.get("keepdim", False)))
    return [same_boxes(joined, result) for result in results]


@rule(
    aten._softmax, aten._log_softmax, aten.softmax, aten.log_softmax, aten._safe_softmax,
    aten.cumsum, aten.cumprod, aten.logcumsumexp, aten.cummax, aten.cummin, aten.sort, aten.topk, aten.argsort,
)  # fmt: skip
def along_an_axis(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return every element sees its whole line. In a local box a softmax keeps each element's own place."""
    source = call.operands[0]
    axis = _axes(-1 if call["dim"] is None else call["dim"], len(source.shape))
    is_softmax = "softmax" in str(call.func.overloadpacket)

    def make(index: int, edge: Edge) -> Tensor:
        own = source.edges[index]
        return own if is_softmax and edge.local else over(own, axis)

    return [derive([source], result.shape, make) for result in results]


def _normalised(source: Boxes, axes: Sequence[int]) -> Boxes:
    """Normalise over some axes: every element sees them all, but its local box is its own."""
    return derive(
        [source],
        source.shape,
        lambda index, edge: source.edges[index] if edge.local else over(source.edges[index], axes),
    )


@rule(aten.native_layer_norm, aten._fused_rms_norm, aten.rms_norm)
def layer_norm(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Mix over the last axes."""
    source = call.boxes(call["input"])
    count = len(source.shape)
    axes = list(range(count - len(call["normalized_shape"]), count))
    statistics = reduced(source, axes, keep=True)
    return [_normalised(source, axes), *(same_boxes(statistics, result) for result in results[1:])]


@rule(aten.native_group_norm)
def group_norm(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Mix over all positions, and over the channels of a group."""
    source = call.boxes(call["input"])
    batch, groups = source.shape[0], call["group"]

    def make(index: int, edge: Edge) -> Tensor:
        own = source.edges[index]
        if edge.local:
            return own
        own = over(own, range(2, own.ndim))
        if own.shape[1] == 1:
            return own
        return own.unflatten(1, (groups, -1)).amin(2).repeat_interleave(source.shape[1] // groups, dim=1)

    statistics = reduced(source, range(1, len(source.shape)), keep=False)
    edges = tuple(edge.reshape(-1, 1) for edge in statistics.edges)
    shape = torch.Size([batch, groups])
    return [
        derive([source], source.shape, make),
        *[Boxes(edges, shape, (0.0, 0.0), source.guessed)] * (len(results) - 1),
    ]


@rule(
    aten.native_batch_norm, aten._native_batch_norm_legit, aten._native_batch_norm_legit_no_training,
    aten.cudnn_batch_norm, aten.miopen_batch_norm, aten._batch_norm_impl_index,
    aten._batch_norm_no_update, aten._batch_norm_with_update,
)  # fmt: skip
def batch_norm(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return pointwise with stored statistics; with the input's own (instance norm), over everything but the
    channel.
    """
    source = call.boxes(call["input"])
    own_statistics = bool(call.get("training", call.get("train", "with_update" in str(call.func))))
    axes = [axis for axis in range(len(source.shape)) if axis != 1]
    statistics = reduced(source, axes, keep=False)
    first = _normalised(source, axes) if own_statistics else source
    rest = [
        same_boxes(statistics, result) if result.shape == statistics.shape else _whole(source, result)
        for result in results[1:]
    ]
    return [same_boxes(first, results[0]), *rest]


def _whole(source: Boxes, result: Tensor) -> Boxes:
    return derive(
        [source],
        result.shape,
        lambda index, _: everything(source.edges[index], result.ndim),
        steps=(0.0, 0.0),
    )


@rule(
    aten.mm,
    aten.bmm,
    aten.addmm,
    aten.baddbmm,
    aten.addmm_,
    aten.baddbmm_,
    aten.matmul,
    aten.linear,
    aten._addmm_activation,
)
def products(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return (…, rows, inner) times (…, inner, columns): the union over the inner axis of both."""
    left, right = _factors(call)
    operands, result = call.operands, results[0]
    pair = [call.boxes(left), call.boxes(right)]
    sides = [
        [over(edge, [left.ndim - 1]) for edge in pair[0].edges],
        [over(edge, [right.ndim - 2]) for edge in pair[1].edges],
    ]
    chosen = _placed_factors(call, left, right)
    bias = [broadcast(call.boxes(call["self"]), result.ndim)] if _has_bias(call) else []

    def make(index: int, edge: Edge) -> Tensor:
        kept = [
            side[index] for side, has_place in zip(sides, chosen, strict=True) if has_place or not edge.local
        ]
        return union([*kept, *(array[index] for array in bias)])

    steps = largest_steps(boxes for boxes, has_place in zip(pair, chosen, strict=True) if has_place)
    return [derive(operands, result.shape, make, steps=steps)]


def _factors(call: Call) -> tuple[Tensor, Tensor]:
    names = [name for name in ("mat1", "batch1", "self", "mat2", "batch2") if name in call]
    left, right = names[-2:] if len(names) == 2 else (names[0], names[-1])
    return call[left], call[right]


def _has_bias(call: Call) -> bool:
    return "self" in call and ("mat1" in call or "batch1" in call) and call.depends(call["self"])


def _placed_factors(call: Call, left: Tensor, right: Tensor) -> tuple[bool, bool]:
    """Return which factors keep their place in a local box.

    In attention the queries do: the factor whose place changes along its own axis and not along the inner one. Of two
    such (queries times keys) the left.
    """
    if not (call.depends(left) and call.depends(right)):
        return True, True
    along_left, along_right = call.boxes(left).varying(), call.boxes(right).varying()
    left_has = left.ndim - 2 in along_left and left.ndim - 1 not in along_left
    right_has = right.ndim - 1 in along_right and right.ndim - 2 not in along_right
    if left_has or right_has:
        return left_has, right_has and not left_has
    return True, True


@rule(aten.mv, aten.dot, aten.vdot, aten.addmv, aten.addr, aten.outer, aten.ger)
def vector_products(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return rare in networks: everything sees everything."""
    return everything_for_each(call, results)


@rule(
    aten._scaled_dot_product_flash_attention_for_cpu, aten._scaled_dot_product_flash_attention,
    aten._scaled_dot_product_efficient_attention, aten._scaled_dot_product_cudnn_attention,
    aten._scaled_dot_product_fused_attention_overrideable, aten._scaled_dot_product_attention_math,
    aten.scaled_dot_product_attention, aten._scaled_dot_product_attention_math_for_mps,
)  # fmt: skip
def attention(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return (…, queries, width): each query sees all keys and values; its local box is its own."""
    query = call.boxes(call["query"])
    axes = len(query.shape)
    others = [call.boxes(call[name]) for name in ("key", "value")]
    mask = call.get("attn_mask", call.get("attn_bias"))
    mask_boxes = [call.boxes(mask)] if isinstance(mask, Tensor) and call.depends(mask) else []

    def make(index: int, edge: Edge) -> Tensor:
        own = over(query.edges[index], [axes - 1])
        if edge.local:
            return own
        heads = (
            [] if others[0].shape[:-2] == query.shape[:-2] else list(range(1, axes - 2))
        )  # grouped queries
        keys = [over(boxes.edges[index], [*heads, axes - 2, axes - 1]) for boxes in others]
        masks = [over(broadcast(boxes, axes)[index], [axes - 1]) for boxes in mask_boxes]
        return union([own, *keys, *masks])

    result = derive(call.operands, results[0].shape, make, steps=query.steps)
    return [result, *(_whole(result, other) for other in results[1:])]
