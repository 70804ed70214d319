"""Carries boxes along with the tensors of one forward pass: which input pixels can each element depend on?

`BoxTracker` is a `TorchDispatchMode`: it sees every ATen operator after composite ones have been taken apart, so it
knows no architectures. Boxes are kept per *storage*: a view has the boxes of the elements that it shares, and what is
written in place through a view is seen by every other view, as it is with the values themselves.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from . import rules_mixing as box_rules_mixing
from . import rules_pointwise as box_rules_pointwise
from . import rules_windows as box_rules_windows
from .boxes import EMPTY, Boxes, compact, empty_boxes, input_boxes
from .rules import Call, has_rule, outputs_of
from .rules_structure import boxes_of_views

# Importing the families fills the table of rules.
RULE_FAMILIES = (box_rules_mixing, box_rules_pointwise, box_rules_windows)

Geometry = tuple[tuple[int, ...], tuple[int, ...], int]


def geometry(tensor: Tensor) -> Geometry:
    """Return where the elements of a tensor lie in its storage."""
    return tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset())


def storage_key(tensor: Tensor) -> int:
    """Return which storage a tensor lies in; the number is not given to another while a `StorageWeakRef` is held."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


class StorageBoxes:
    """The boxes of one storage, seen through any number of views."""

    def __init__(self, tensor: Tensor, boxes: Boxes) -> None:
        self.alive = StorageWeakRef(tensor.untyped_storage())
        self.item_size = tensor.element_size()
        self.length = tensor.untyped_storage().nbytes() // tensor.element_size()
        self.owner = geometry(tensor)
        self.views: dict[Geometry, Boxes] = {self.owner: boxes}

    def read(self, tensor: Tensor) -> Boxes:
        """Return the boxes of a view of this storage."""
        place = geometry(tensor)
        if place not in self.views:
            self.views[place] = self._gather(tensor, place)
        return self.views[place]

    def write(self, tensor: Tensor, boxes: Boxes) -> None:
        """Set new boxes for the elements of a view, as an in-place operator makes them."""
        place = geometry(tensor)
        if place in self.views and self.views[place].same_as(boxes):
            return
        if place == self.owner or tensor.numel() == self.length:
            self.owner, self.views = place, {place: boxes}
            return
        whole = self.views[self.owner]
        edges = tuple(
            compact(self._scatter(old, place, new))
            for old, new in zip(self._flat(), boxes.expanded(), strict=True)
        )
        self.owner = ((self.length,), (1,), 0)
        steps = max(whole.steps[0], boxes.steps[0]), max(whole.steps[1], boxes.steps[1])
        self.views = {
            self.owner: Boxes(edges, torch.Size([self.length]), steps, whole.guessed | boxes.guessed)
        }

    def add_view(self, tensor: Tensor, boxes: Boxes) -> None:
        """Add boxes of a view that are already known."""
        self.views.setdefault(geometry(tensor), boxes)

    def _flat(self) -> list[Tensor]:
        """Return the edge arrays in the order of the storage; elements that the owner leaves out are empty."""
        size, stride, offset = self.owner
        flat: list[Tensor] = []
        for edge in self.views[self.owner].expanded():
            flat.append(torch.full((self.length,), EMPTY, dtype=torch.int32))
            flat[-1].as_strided(size, stride, offset).copy_(edge)
        return flat

    def _gather(self, tensor: Tensor, place: Geometry) -> Boxes:
        whole = self.views[self.owner]
        if tensor.element_size() != self.item_size:  # a view as complex, or as another dtype
            edges = tuple(edge.amin().reshape([1] * tensor.ndim) for edge in whole.edges)
        else:
            edges = tuple(compact(edge.as_strided(*place)) for edge in self._flat())
        return Boxes(edges, tensor.shape, whole.steps, whole.guessed)

    @staticmethod
    def _scatter(flat: Tensor, place: Geometry, new: Tensor) -> Tensor:
        flat.as_strided(*place).copy_(new)
        return flat


class BoxTracker(TorchDispatchMode):
    """Follows `images` (1, 3, height, width) through whatever is computed from it while the mode is on."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self._storages: dict[int, StorageBoxes] = {}
        self._purge_at = 64
        self._write(images, input_boxes(images.shape))

    def depends(self, tensor: Tensor) -> bool:
        """Return whether the input can reach the tensor at all."""
        return tensor.layout == torch.strided and storage_key(tensor) in self._storages

    def boxes(self, tensor: Tensor) -> Boxes:
        """Return the boxes of a tensor; empty ones for constants and parameters."""
        if not self.depends(tensor):
            return empty_boxes(tensor.shape)
        return self._storages[storage_key(tensor)].read(tensor)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not has_rule(func):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        before = Call(func, args, kwargs, self)
        result = func(*args, **kwargs)
        if before.operands:
            self._follow(before, result)
        return result

    def _follow(self, call: Call, result: Any) -> None:
        """Give the results of an operator their boxes."""
        if torch.Tag.inplace_view in call.func.tags:
            return  # only the geometry changed; the storage's boxes hold
        leaves = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)] or call.written
        results = [leaf for leaf in leaves if leaf.layout == torch.strided]
        in_place = any(leaf is written for leaf in results for written in call.written)
        if not in_place and results and all(self.depends(tensor) for tensor in results):
            for tensor, boxes in zip(results, boxes_of_views(call, results) or [], strict=False):
                self._storages[storage_key(tensor)].add_view(tensor, boxes)
            return
        for tensor, boxes in zip(results, outputs_of(call, results), strict=True):
            self._write(tensor, boxes)

    def _write(self, tensor: Tensor, boxes: Boxes) -> None:
        key = storage_key(tensor)
        if key in self._storages:
            self._storages[key].write(tensor, boxes)
            return
        self._storages[key] = StorageBoxes(tensor, boxes)
        if len(self._storages) > self._purge_at:
            self._storages = {key: kept for key, kept in self._storages.items() if not kept.alive.expired()}
            self._purge_at = 2 * len(self._storages) + 64
