"""Where a network compares a vector of each image with vectors of its classes, outside any layer of torch.

Zero-shot heads (class vectors in a buffer), cosine heads and prototypes do so in a module's own `forward`, often that
of the whole network. The feature is then the vector that is compared; it is found among what modules take and return.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..running.trace import Key
from .op_graph import IMAGES, Boundary, OpGraph

ALIKE = 0.999
"""The cosine from which two vectors are one, but for their length."""


@dataclass(frozen=True)
class Place:
    """One side of one call: `input` or `output`. exact: the vector that is compared is as long as what is there."""

    key: Key
    source: str
    exact: bool


def is_hidden(graph: OpGraph, heads: list[Key], last: Key | None) -> bool:
    """Return whether the classes are compared after the calls that would be the classifier, or the last one with
    parameters.

    heads: the calls of layers that may make the logits. last: the last call with parameters. What follows a softmax or
    sigmoid of the heads only sums classes up.
    """
    comparison = graph.last_comparison()
    if comparison is None:
        return False
    if not heads:
        return last is None or comparison >= _begin(graph, last)
    inputs = [taken for key in heads if (taken := graph.calls[key][0]) is not None]
    outputs = [made for key in heads if (made := graph.calls[key][1]) is not None]
    if not inputs or not outputs or comparison < max(made.when for made in outputs):
        return False
    ways = graph.between(max(made.node for made in outputs), [comparison])
    return not any(graph.nodes[node].op in ("_softmax", "sigmoid", "_log_softmax") for node in ways)


def places_of_comparison(graph: OpGraph) -> Iterator[Place] | None:
    """Return where the vector that the last comparison compares may be read, the best first; None where there is none.

    That is: what one side of a call holds makes the output alone, and is compared without another product with a matrix
    on the way. The input of the smallest module that holds the comparison comes first, then outputs, the nearest first.
    """
    comparison = graph.last_comparison()
    if comparison is None:
        return None
    compared = list(graph.nodes[comparison].operands)
    if _is_passed_by(graph, comparison, compared):
        return None
    found = [
        (
            (*_rank(graph, key, side, boundary, comparison), order),
            Place(key, source, _is_exact(graph, boundary, comparison)),
        )
        for order, (key, sides) in enumerate(graph.calls.items())
        for side, (source, boundary) in enumerate(zip(("input", "output"), sides, strict=True))
        if boundary is not None
        and boundary.when <= comparison
        and _holds(graph, boundary.node, comparison, compared)
    ]
    return (place for _, place in sorted(found, key=lambda item: item[0], reverse=True))


def is_compared(graph: OpGraph, feature: Tensor) -> bool | None:
    """Return whether (images, width) are the vectors that are compared, but for their length; None where it cannot be
    told.
    """
    comparison = graph.last_comparison()
    wanted = graph.compared.get(-1 if comparison is None else comparison)
    if wanted is None:
        return None
    images, width = feature.shape
    if wanted.shape == (width, images):
        wanted = wanted.t()
    if wanted.numel() != feature.numel():
        if wanted.ndim != 3 or wanted.shape[0] != images or wanted.shape[2] != width:
            return None
        wanted = wanted[:, 0]  # repeated for each class
    wanted = wanted.reshape(images, width).float()
    return bool((torch.nn.functional.cosine_similarity(wanted, feature.float(), dim=1) > ALIKE).all())


def _begin(graph: OpGraph, key: Key) -> int:
    taken = graph.calls[key][0]
    return 0 if taken is None else taken.when


def _rank(graph: OpGraph, key: Key, side: int, boundary: Boundary, comparison: int) -> tuple[int, int]:
    made = graph.calls[key][1]
    encloses = side == 0 and made is not None and made.when > comparison
    return (1, boundary.when) if encloses else (0, boundary.when)


def _is_exact(graph: OpGraph, boundary: Boundary, comparison: int) -> bool:
    return boundary.numbers == graph.nodes[comparison].shapes[0].numel()


def _holds(graph: OpGraph, node: int, comparison: int, compared: list[int]) -> bool:
    """Return whether the output depends on the images through `node` alone, and the comparison reads nothing but
    `node`.
    """
    assert graph.output is not None
    if node != IMAGES and IMAGES in graph.ancestors([graph.output], without=frozenset({node})):
        return False
    return not any(
        graph.nodes[one].is_matrix or "attention" in graph.nodes[one].op
        for one in graph.between(node, compared)
    )


def _is_passed_by(graph: OpGraph, comparison: int, compared: list[int]) -> bool:
    """Return whether the images reach the output on a way beside the comparison, other than as a vector's length.

    A residual path does: then it is not a comparison with classes.
    """
    assert graph.output is not None
    lengths = {number for number, node in enumerate(graph.nodes) if node.is_length}
    comparisons = {
        number for number in range(len(graph.nodes)) if graph.nodes[number].compares(graph.outputs)
    }
    beside = graph.ancestors([graph.output], without=frozenset(lengths | comparisons))
    return bool(beside & {IMAGES, *compared})
