"""The layers of a network: every module whose output is a map, tokens or a vector, and choosing among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Layer:
    """One call of one module, and how to read its output.

    name: `features.10`; `block:1` for call 1 of a module that runs several times; `encoder.ln:cls` for prefix tokens.
    module: the dotted path, as `named_modules()` gives it. call: which call of the module, from 0.
    kind: `map`, `tokens` or `vector`: what the output is. units: channels.
    height, width: the grid of positions; 1, 1 for vectors. unit_axis: the axis of the output that holds the units.
    prefix: how many leading tokens are no positions (class, registers, distillation).
    output: the index into a tuple or list output, None where the output is a tensor.
    """

    name: str
    module: str
    call: int
    kind: str
    units: int
    height: int
    width: int
    unit_axis: int
    prefix: int = 0
    output: int | None = None


@dataclass(frozen=True)
class LayerList:
    """swept: what can be swept, in order of execution. refused: (name, reason) of what cannot."""

    swept: tuple[Layer, ...]
    refused: tuple[tuple[str, str], ...]


def list_layers(network: nn.Module, input_size: tuple[int, int], *, device: torch.device | str = "cpu") -> LayerList:
    """Every layer of `network` for inputs (N, 3, height, width)."""
    raise NotImplementedError


def select_layers(layers: LayerList, patterns: Sequence[str]) -> tuple[Layer, ...]:
    """The layers that exact names and globs choose, in order of execution."""
    raise NotImplementedError
