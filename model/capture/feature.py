"""The feature of an image: the penultimate vector, which feeds the classifier. `find_feature.py` says which it is."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..layers.layers import Layer, as_grid, tensor_of


@dataclass(frozen=True)
class Feature:
    """Where the feature is read.

    module: dotted path, "" for the network itself. call: which call of it. source: `input` or `output` of that call.
    width: numbers per image. pool: the tensor is a map or tokens, and the feature is its mean over positions.
    layer: how to read the tensor. note: what a person should know about the choice, or "".
    """

    module: str
    call: int
    source: str
    width: int
    pool: bool
    layer: Layer
    note: str = ""

    @property
    def name(self) -> str:
        """The name that `feature_named` takes."""
        return self.layer.name


def read_feature(value: object, feature: Feature) -> Tensor:
    """Return (images, width) float32, a copy, from what the feature's module took or returned."""
    return _read(value, feature.layer, pool=feature.pool)


def mean_activation(value: object, layer: Layer) -> Tensor:
    """Return (images, units) float32, a copy: the mean over the layer's positions, vectors as they are.

    value: what the layer's module returned.
    """
    return _read(value, layer, pool=layer.kind != "vector")


def _read(value: object, layer: Layer, *, pool: bool) -> Tensor:
    grid = as_grid(tensor_of(value, layer).detach(), layer)
    if pool:
        return grid.float().mean((2, 3))
    return grid[:, :, 0, 0].to(torch.float32, copy=True, memory_format=torch.contiguous_format)
