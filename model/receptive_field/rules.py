"""The table of rules: how each ATen operator turns the boxes of its operands into those of its results.

The rules of one family of operators are in `box_rules_<family>.py` and enter the table with `@rule(...)`. An operator
without a rule is *guessed*: every element of its results sees everything that any element of its operands sees. That is
never too little, and the boxes remember the operator's name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .boxes import Boxes, all_guessed, compact, derive, everything, largest_steps, union


class Tracker(Protocol):
    """What a rule may ask about a tensor."""

    def depends(self, tensor: Tensor) -> bool:
        """Return whether the input can reach the tensor at all."""
        ...

    def boxes(self, tensor: Tensor) -> Boxes:
        """Return the boxes of the tensor, empty for constants."""
        ...


class Call(Mapping[str, Any]):
    """One call of an operator: its arguments by the schema's names, and the boxes of its tensors from before it ran."""

    def __init__(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], tracker: Tracker) -> None:
        self.func = func
        self.args, self.kwargs = tuple(args), dict(kwargs)
        self._arguments: dict[str, Any] = {}
        for number, argument in enumerate(func._schema.arguments):
            default = argument.default_value if argument.has_default_value() else None
            given = (
                args[number]
                if number < len(args) and not argument.kwarg_only
                else kwargs.get(argument.name, default)
            )
            self._arguments[argument.name] = given
        self.written = [
            leaf
            for argument in func._schema.arguments
            if argument.is_write
            for leaf in tree_leaves(self._arguments[argument.name])
            if isinstance(leaf, Tensor)
        ]
        self.tensors = [
            leaf
            for argument in func._schema.arguments
            if not (
                argument.is_write and argument.kwarg_only
            )  # what an `out=` argument held before does not matter
            for leaf in tree_leaves(self._arguments[argument.name])
            if isinstance(leaf, Tensor)
        ]
        self._boxes = {id(leaf): tracker.boxes(leaf) for leaf in self.tensors if tracker.depends(leaf)}
        self._tracker = tracker

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)

    @property
    def operands(self) -> list[Boxes]:
        """The boxes of those arguments that the input reaches."""
        return [self._boxes[id(tensor)] for tensor in self.tensors if id(tensor) in self._boxes]

    def depends(self, tensor: Tensor | None) -> bool:
        """Return whether the input reaches this argument."""
        return tensor is not None and id(tensor) in self._boxes

    def boxes(self, tensor: Tensor) -> Boxes:
        """Return the boxes of an argument as they were before the operator ran."""
        known = self._boxes.get(id(tensor))
        return self._tracker.boxes(tensor) if known is None else known


Rule = Callable[[Call, Sequence[Tensor]], Sequence[Boxes]]
_RULES: dict[Any, Rule] = {}


def rule(*packets: Any) -> Callable[[Rule], Rule]:
    """Enter a rule for all overloads of some operators. A rule gives the boxes of each result, in order."""

    def enter(function: Rule) -> Rule:
        for packet in packets:
            assert packet not in _RULES, f"two rules for {packet}"
            _RULES[packet] = function
        return function

    return enter


def has_rule(func: Any) -> bool:
    """Return whether the operator is known."""
    return func.overloadpacket in _RULES or torch.Tag.pointwise in func.tags


def outputs_of(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return the boxes of each result of an operator that makes new tensors or writes into given ones."""
    known = _RULES.get(call.func.overloadpacket)
    if known is None and torch.Tag.pointwise in call.func.tags:
        known = _RULES[torch.ops.aten.add]
    return (known or guess)(call, results)


def guess(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return an unknown operator: every element sees all that the operands see."""
    operands = call.operands
    name = frozenset({str(call.func.overloadpacket)})
    return [
        Boxes(
            tuple(
                union(everything(operand.edges[index], result.ndim) for operand in operands)
                for index in range(16)
            ),
            result.shape,
            (0.0, 0.0),
            all_guessed(operands) | name,
        )
        for result in results
    ]


def same_boxes(boxes: Boxes, result: Tensor) -> Boxes:
    """Return the boxes of a result whose elements are those of one operand, in the same places."""
    return Boxes(boxes.edges, result.shape, boxes.steps, boxes.guessed)


def everything_for_each(call: Call, results: Sequence[Tensor]) -> Sequence[Boxes]:
    """Return an operator that is known to mix everything, such as a mean without axes."""
    operands = call.operands
    return [
        derive(
            operands,
            result.shape,
            lambda index, _, axes=result.ndim: union(
                everything(operand.edges[index], axes) for operand in operands
            ),
            steps=(0.0, 0.0),
        )
        for result in results
    ]


def replayed(call: Call, operands: Sequence[Tensor], results: Sequence[Tensor]) -> list[Boxes]:
    """Return the operator itself, run on the edge arrays of `operands` in their place: for those that only move
    elements.
    """
    boxes = [call.boxes(tensor) for tensor in operands]
    edges: list[list[Tensor]] = [[] for _ in results]
    for index in range(16):
        places = {id(t): box.edges[index].expand(box.shape) for t, box in zip(operands, boxes, strict=True)}
        moved = call.func(*_swap(call.args, places), **_swap(call.kwargs, places))
        leaves = [leaf for leaf in tree_leaves(moved) if isinstance(leaf, Tensor)]
        for mine, leaf in zip(edges, leaves, strict=True):
            mine.append(compact(leaf))
    steps, guessed = largest_steps(boxes), all_guessed(boxes)
    return [
        Boxes(tuple(mine), result.shape, steps, guessed) for mine, result in zip(edges, results, strict=True)
    ]


def _swap(value: Any, places: Mapping[int, Tensor]) -> Any:
    """Return the arguments with edge arrays for tensors; other tensors (indices) go to the edge arrays' device."""
    if isinstance(value, Tensor):
        return places[id(value)] if id(value) in places else value.cpu()
    if isinstance(value, dict):
        return {key: _swap(item, places) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_swap(item, places) for item in value)
    return value
