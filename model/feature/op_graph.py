"""Records which operator made what from what in one forward pass, as far as it depends on the images.

`trace_operators` runs a network under a `TorchDispatchMode`, which sees every ATen operator after composite ones have
been taken apart, so it knows no architectures. A node stands for what one operator wrote; as with `BoxTracker`, nodes
are kept by *storage*: a view is the node that it looks at, and what is written in place is a new node there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..outputs import read_output
from ..receptive_field.tracker import storage_key
from ..running.trace import Key, first_tensor

IMAGES = 0
"""The node of the images."""

_MATRIX = frozenset(
    {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "linear", "_cdist_forward", "_euclidean_dist"}
)
_BROADCAST = frozenset({"mul", "sub", "rsub", "div", "minimum", "maximum", "eq", "ne"})
_REDUCTIONS = frozenset(
    {"sum", "mean", "linalg_vector_norm", "norm", "prod", "amax", "amin", "max", "min", "var", "std"}
)


@dataclass(frozen=True)
class Node:
    """One operator's result.

    operands: the nodes that it read. shapes: theirs, in the same order. constants: the shapes of the other float
    tensors, which do not depend on the images. shape: of the result.
    """

    op: str
    operands: tuple[int, ...]
    shapes: tuple[torch.Size, ...]
    constants: tuple[torch.Size, ...]
    shape: torch.Size

    @property
    def is_matrix(self) -> bool:
        """It is a product with a matrix, a distance to several vectors, or a convolution."""
        return self.op in _MATRIX or self.op == "convolution"

    @property
    def is_length(self) -> bool:
        """It makes one number of each image."""
        return self.op in _REDUCTIONS and self.shape.numel() <= self.shape[0]

    def compares(self, outputs: int) -> bool:
        """Return whether it may compare a vector of each image, or of each position, with vectors of `outputs`
        classes.
        """
        matrices = [shape for shape in self.constants if len(shape) >= 2]
        if self.op == "convolution":
            return any(all(side == 1 for side in shape[2:]) for shape in matrices)
        if self.op in _MATRIX:
            return bool(matrices)
        if self.op in _BROADCAST and len(self.shape) >= 3:
            return any(
                shape[-2:] == self.shape[-2:] and shape[-2] > 1 and shape[-1] > 1 and shape[-2] % outputs == 0
                for shape in matrices
            )
        return False


@dataclass(frozen=True)
class Boundary:
    """What a call of a module took or returned. when: how many nodes there were then. numbers: of the whole tensor."""

    node: int
    when: int
    numbers: int


@dataclass
class OpGraph:
    """The nodes of one forward pass, and where the calls of modules begin and end.

    output: the node of the network's output, None where it does not depend on the images. calls: in the order in which
    they ended; (None, …) where what it took or returned is not a tensor of the images. compared: the image's side of
    the last node that compares, copied.
    """

    outputs: int
    nodes: list[Node] = field(default_factory=list[Node])
    output: int | None = None
    calls: dict[Key, tuple[Boundary | None, Boundary | None]] = field(
        default_factory=dict[Key, tuple[Boundary | None, Boundary | None]]
    )
    compared: dict[int, Tensor] = field(default_factory=dict[int, Tensor])

    def ancestors(self, start: Iterable[int], *, without: frozenset[int] = frozenset()) -> set[int]:
        """Return the nodes that `start` is made of, with `start`, on ways that do not pass `without`."""
        found: set[int] = set()
        waiting = [node for node in start if node not in without]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(operand for operand in self.nodes[node].operands if operand not in without)
        return found

    def between(self, first: int, last: Iterable[int]) -> set[int]:
        """Return the nodes on the ways from `first` to `last`, without `first`."""
        above = self.ancestors(last)
        found: set[int] = set()
        for node in sorted(above):  # operands come before what is made of them
            if node > first and any(
                operand == first or operand in found for operand in self.nodes[node].operands
            ):
                found.add(node)
        return found

    def last_comparison(self) -> int | None:
        """Return the last node, in the order of execution, that compares and that the output is made of."""
        if self.output is None:
            return None
        above = self.ancestors([self.output])
        return max((node for node in above if self.nodes[node].compares(self.outputs)), default=None)


def trace_operators(
    network: nn.Module, weights: Mapping[str, Tensor], images: Tensor, outputs: int
) -> OpGraph:
    """Run `network` with `weights` in place of its own on `images`. outputs: how many numbers it gives an image."""
    graph = OpGraph(outputs)
    recorder = _Recorder(images, graph)
    starts: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    taken: dict[Key, Boundary | None] = {}

    def boundary(value: object) -> Boundary | None:
        tensor = first_tensor(value)
        node = None if tensor is None else recorder.node_of(tensor)
        return None if node is None or tensor is None else Boundary(node, len(graph.nodes), tensor.numel())

    def before(name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        taken[name, starts[name]] = boundary(args) or boundary(kwargs)
        starts[name] += 1

    def after(name: str, output: object) -> None:
        key = name, ends[name]
        ends[name] += 1
        graph.calls[key] = taken.get(key), boundary(output)

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            if name:
                hooks.callback(
                    module.register_forward_pre_hook(
                        lambda _, args, kwargs, name=name: before(name, args, kwargs), with_kwargs=True
                    ).remove
                )
                hooks.callback(
                    module.register_forward_hook(lambda _, __, output, name=name: after(name, output)).remove
                )
        with recorder:
            returned: object = functional_call(network, dict(weights), (images,))
            scores = read_output(returned)
            output = first_tensor(returned) if scores is None else scores
    graph.output = None if output is None else recorder.node_of(output)
    return graph


class _Recorder(TorchDispatchMode):
    def __init__(self, images: Tensor, graph: OpGraph) -> None:
        super().__init__()
        self._graph = graph
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self._add(Node("images", (), (), (), images.shape), [images])

    def node_of(self, tensor: Tensor) -> int | None:
        """Return the node that last wrote to the tensor's storage; None for what does not depend on the images."""
        if tensor.layout != torch.strided:
            return None
        alive, node = self._storages.get(storage_key(tensor), (None, None))
        return None if alive is None or alive.expired() else node

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        with self:
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        known = [(self.node_of(tensor), tensor) for tensor in tensors]
        result = func(*args, **kwargs)
        read = [(node, tensor) for node, tensor in known if node is not None]
        written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        written = [leaf for leaf in written if leaf.layout == torch.strided]
        if read and written and not self._is_view(func, read, written):
            others = tuple(
                tensor.shape
                for node, tensor in known
                if node is None and (tensor.is_floating_point() or tensor.is_complex())
            )
            shapes = tuple(tensor.shape for _, tensor in read)
            name = func.overloadpacket.__name__.removesuffix("_")
            name = "mul" if name == "__mul" else name
            made = Node(name, tuple(node for node, _ in read), shapes, others, written[0].shape)
            if made.compares(self._graph.outputs):
                self._graph.compared = {len(self._graph.nodes): read[0][1].detach().clone()}
            self._add(made, written)
        return result

    def _is_view(self, func: Any, read: list[tuple[int, Tensor]], written: list[Tensor]) -> bool:
        """Return whether the results only look at what was read."""
        if func._schema.is_mutable:
            return False
        keys = {storage_key(tensor) for _, tensor in read if tensor.layout == torch.strided}
        return all(storage_key(tensor) in keys for tensor in written)

    def _add(self, node: Node, tensors: list[Tensor]) -> None:
        self._graph.nodes.append(node)
        number = len(self._graph.nodes) - 1
        for tensor in tensors:
            self._storages[storage_key(tensor)] = StorageWeakRef(tensor.untyped_storage()), number
