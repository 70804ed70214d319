"""The feature of an image: the penultimate vector, what feeds the classifier."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Feature:
    """Where the feature is read.

    module: dotted path. call: which call of it. source: `input` or `output` of that call. width: numbers per image.
    pool: the tensor is a map or tokens, and the feature is its mean over positions.
    """

    module: str
    call: int
    source: str
    width: int
    pool: bool


def find_feature(network: nn.Module, input_size: tuple[int, int], *, device: torch.device | str = "cpu") -> Feature:
    """The penultimate vector, found by execution."""
    raise NotImplementedError


def feature_named(
    network: nn.Module, input_size: tuple[int, int], name: str, *, device: torch.device | str = "cpu"
) -> Feature:
    """The feature that `name` (a module, or `input:MODULE`) gives."""
    raise NotImplementedError
