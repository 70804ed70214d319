"""Each unit's maximum and its first position."""

from dataclasses import dataclass

from torch import Tensor

from .layers import Layer


@dataclass(frozen=True)
class Reduction:
    """values: (images, units) float32. positions: (images, units) int32, flat y * width + x."""

    values: Tensor
    positions: Tensor


def reduce(output: Tensor, layer: Layer) -> Reduction:
    """Each image's maximum for each unit, and its first position (lowest y, then x)."""
    raise NotImplementedError
