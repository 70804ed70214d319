"""The layers swept by default: normalised convolutions, residual and transformer blocks, the head's linear layers."""

import torch
from torch import nn

from .layers import Layer, LayerList


def default_layers(
    network: nn.Module, layers: LayerList, input_size: tuple[int, int], *, device: torch.device | str = "cpu"
) -> tuple[Layer, ...]:
    """The layers of `layers` that are swept when none are named, in order of execution."""
    raise NotImplementedError
