"""Boxes: for every element of a tensor, the rows and columns of the network's input that it depends on.

An **edge array** is one int32 tensor that broadcasts to the tensor's shape. The low edge is kept as it is and the high
edge negated, so that the union of boxes is always an elementwise *minimum*, an empty box is `EMPTY`, and one rule
serves all edges. Axes along which an edge does not vary have length 1, which keeps the arrays tiny.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import torch
from torch import Tensor

EMPTY = 1 << 28
ROWS, COLUMNS = 0, 1
LOW, HIGH = 0, 1


@dataclass(frozen=True)
class Edge:
    """Which of the sixteen numbers of an element an edge array holds.

    local: leave global gates out. affine: go on past the border by the stride, as the textbook formula of the receptive
    field does, instead of stopping where the data stops. axis: ROWS or COLUMNS. end: LOW or HIGH.
    """

    local: bool
    affine: bool
    axis: int
    end: int


EDGES = tuple(Edge(*flags) for flags in product((False, True), (False, True), (ROWS, COLUMNS), (LOW, HIGH)))
LOCAL_EDGES = tuple(index for index, edge in enumerate(EDGES) if edge.local)
Steps = tuple[float, float]


@dataclass(frozen=True)
class Boxes:
    """The boxes of one tensor.

    edges: one edge array for each of `EDGES`, each with as many axes as the tensor. shape: the tensor's.
    steps: by how many input rows and columns neighbouring positions differ; only used where an axis has one position.
    guessed: operators without a rule that these boxes passed through; there they became all that it could see.
    """

    edges: tuple[Tensor, ...]
    shape: torch.Size
    steps: Steps = (0.0, 0.0)
    guessed: frozenset[str] = frozenset()

    def expanded(self) -> list[Tensor]:
        """Return the edge arrays in the tensor's own shape, without copying."""
        return [edge.expand(self.shape) for edge in self.edges]

    def pairs(self) -> Iterable[tuple[Tensor, Edge]]:
        """Return each edge array with what it holds."""
        return zip(self.edges, EDGES, strict=True)

    def same_as(self, other: "Boxes") -> bool:
        """Return whether both say the same of every element."""
        if self.shape != other.shape or self.steps != other.steps or self.guessed != other.guessed:
            return False
        pairs = zip(self.edges, other.edges, strict=True)
        return all(
            mine is theirs or torch.equal(*torch.broadcast_tensors(mine, theirs)) for mine, theirs in pairs
        )

    def varying(self) -> set[int]:
        """Return the axes along which a local box changes: the tensor's spatial axes."""
        local = [self.edges[index] for index in LOCAL_EDGES]
        return {axis for edge in local for axis, size in enumerate(edge.shape) if size > 1}

    def grid_axes(self, kind: int) -> set[int]:
        """Return the axes along which the rows (or columns) of local boxes go on by the step, from end to end."""
        index = next(i for i, edge in enumerate(EDGES) if edge == Edge(True, True, kind, LOW))
        low, step = self.edges[index], self.steps[kind]
        found: set[int] = set()
        for axis, size in enumerate(low.shape):
            length = (
                (low.narrow(axis, size - 1, 1) - low.narrow(axis, 0, 1)).float()
                if size > 1
                else torch.zeros(1)
            )
            if size > 1 and bool(((length - step * (size - 1)).abs() <= step).all()):
                found.add(axis)
        return found


def input_boxes(shape: torch.Size) -> Boxes:
    """Return each pixel of the input (1, channels, height, width) sees itself."""
    rows = torch.arange(shape[2], dtype=torch.int32).view(1, 1, -1, 1)
    columns = torch.arange(shape[3], dtype=torch.int32).view(1, 1, 1, -1)
    places = [rows if edge.axis == ROWS else columns for edge in EDGES]
    edges = tuple(place if edge.end == LOW else -place for edge, place in zip(EDGES, places, strict=True))
    return Boxes(edges, shape, (1.0, 1.0))


def empty_boxes(shape: torch.Size) -> Boxes:
    """Return the boxes of a constant."""
    nothing = torch.full([1] * len(shape), EMPTY, dtype=torch.int32)
    return Boxes((nothing,) * len(EDGES), shape)


def compact(edge: Tensor) -> Tensor:
    """Return the same edge array with length 1 along every axis that it does not vary along."""
    for axis, size in enumerate(edge.shape):
        if size > 1 and edge.stride(axis) == 0:
            edge = edge.narrow(axis, 0, 1)
    for axis, size in enumerate(edge.shape):
        if size > 1:
            first = edge.narrow(axis, 0, 1)
            if bool((edge == first).all()):
                edge = first
    # A small array must not keep a large one alive.
    return edge.clone() if edge.untyped_storage().nbytes() > 4 * edge.element_size() * edge.numel() else edge


def broadcast(boxes: Boxes, axes: int) -> tuple[Tensor, ...]:
    """Return the edge arrays with leading axes added, as broadcasting to a tensor with that many axes does."""
    return tuple(edge.reshape([1] * (axes - edge.ndim) + list(edge.shape)) for edge in boxes.edges)


def union(edges: Iterable[Tensor]) -> Tensor:
    """Return the box that holds all of them, element by element."""
    return reduce(torch.minimum, edges)


def everything(edge: Tensor, axes: int) -> Tensor:
    """Return the union over all elements, as an edge array with that many axes."""
    return (edge.amin() if edge.numel() else torch.tensor(EMPTY, dtype=torch.int32)).reshape([1] * axes)


def over(edge: Tensor, axes: Sequence[int]) -> Tensor:
    """Return the union over some axes, which become length 1."""
    wanted = [axis for axis in axes if edge.shape[axis] > 1]
    return edge.amin(wanted, keepdim=True) if wanted else edge


def largest_steps(operands: Iterable[Boxes]) -> Steps:
    """Return the steps of what is made of several tensors: those of the coarsest."""
    steps = [operand.steps for operand in operands]
    return max((rows for rows, _ in steps), default=0.0), max((columns for _, columns in steps), default=0.0)


def all_guessed(operands: Iterable[Boxes]) -> frozenset[str]:
    """Return the operators without a rule that any of the operands passed through."""
    return frozenset[str]().union(*(operand.guessed for operand in operands))


def derive(
    operands: Sequence[Boxes],
    shape: torch.Size,
    make: Callable[[int, Edge], Tensor],
    *,
    steps: Steps | None = None,
) -> Boxes:
    """Return the boxes of a tensor computed from `operands`; `make(index, edge)` gives each edge array."""
    edges = tuple(compact(make(index, edge)) for index, edge in enumerate(EDGES))
    return Boxes(edges, shape, largest_steps(operands) if steps is None else steps, all_guessed(operands))
