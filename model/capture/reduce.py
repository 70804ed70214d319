"""Each unit's maximum and its first position, with the fastest exact reducer of each device and memory layout.

Measured on one thread, batch 32, 64 units on 55×55: positions side by side in memory (N, C, H, W): numpy's argmax
0.9 ms, `max_pool2d` 6.5 ms, `max(dim)` 5.3 ms; units side by side (channels last): `max_pool2d` over the whole map
1.4 ms, `max(dim)` 8 ms. The maximum alone, without its position (`amax`), takes 1.0 ms.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers.layers import Layer, as_grid


@dataclass(frozen=True)
class Reduction:
    """values: (images, units) float32. positions: (images, units) int32, flat y * width + x."""

    values: Tensor
    positions: Tensor


def reduce(output: Tensor, layer: Layer) -> Reduction:
    """Return each image's maximum for each unit, and its first position (lowest y, then x).

    output: the tensor that the layer's module returned, of any float dtype; it may be overwritten afterwards. A NaN is
    larger than any number, so that it shows; its position is the first NaN's. Half precision is widened exactly,
    float64 is rounded after the maximum was found. On a GPU nothing waits for the device. Raises LayerError on another
    shape.
    """
    grid = as_grid(output.detach(), layer)
    if grid.shape[2] * grid.shape[3] == 1:
        values = grid[:, :, 0, 0].to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        return Reduction(values, torch.zeros(values.shape, dtype=torch.int32, device=values.device))
    if grid.dtype in (torch.float16, torch.bfloat16):
        grid = grid.float()
    if grid.device.type != "cpu":
        values, positions = max_anywhere(grid)
    elif grid.stride(1) == 1 and grid.shape[1] > 1:
        values, positions = max_units_last(grid)
    else:
        values, positions = max_units_first(grid)
    return Reduction(values.float(), positions.int())


def max_units_first(grid: Tensor) -> tuple[Tensor, Tensor]:
    """Return (values, flat positions) of a CPU map whose positions lie side by side in memory: numpy compares whole
    rows.

    `numpy.argmax` gives the first of equals and the first NaN.
    """
    rows = grid.flatten(2).contiguous()
    positions = torch.from_numpy(rows.numpy().argmax(axis=2))
    return rows.gather(2, positions[:, :, None])[:, :, 0], positions


def max_units_last(grid: Tensor) -> tuple[Tensor, Tensor]:
    """Return (values, flat positions) of a CPU map whose units lie side by side in memory: pooling compares whole
    pixels.

    `max_pool2d` gives the first of equals, but the last NaN, so rows with a NaN are looked at again.
    """
    height, width = grid.shape[2:]
    values, positions = F.max_pool2d(
        grid.contiguous(memory_format=torch.channels_last), (height, width), return_indices=True
    )
    values, positions = values[:, :, 0, 0], positions[:, :, 0, 0]
    # One number tells that there is no NaN anywhere, at a third of the price of isnan().any().
    if math.isnan(values.sum().item()):
        nan = values.isnan()
        positions = positions.clone()
        positions[nan] = grid.flatten(2)[nan].isnan().int().argmax(1)
    return values, positions


def max_anywhere(grid: Tensor) -> tuple[Tensor, Tensor]:
    """Return (values, flat positions) on any device, in one pass that does not wait for it.

    `torch.max` is documented to give the first of equals; its CUDA kernel compares (value, index) pairs and takes the
    lower index of two equals or two NaNs (`GreaterOrNan` in ATen's SharedReduceOps.h), in whatever order they meet.
    """
    values, positions = grid.flatten(2).max(2)
    return values, positions
