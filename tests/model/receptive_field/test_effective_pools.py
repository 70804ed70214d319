"""Views of layers with more branches than samples allow: dense blocks."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from .test_effective import energy_of, measured, share_of


class Dense(nn.Module):
    """The outputs of a chain of convolutions side by side, so that each step sees one pixel more on every side."""

    def __init__(self, steps, growth):
        super().__init__()
        widths = [3, *[growth] * steps]
        self.steps = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )

    def forward(self, images):
        parts = [images]
        for step in self.steps:
            parts.append(step(parts[-1]))
        return torch.cat(parts, 1)


def shares(network, layer, fields, views, images):
    """The mean share of the energy that each branch's window holds on these images."""
    branch = fields[layer.name].branch
    held = [[] for _ in fields[layer.name].branches]
    for number, of_branch in enumerate(held):
        units = np.flatnonzero(branch == number)
        for image, unit in zip(images, np.resize(units, len(images)), strict=True):
            energy, position = energy_of(network, layer, image, int(unit))
            if energy.sum():
                of_branch.append(share_of(energy, position, views[layer.name].branches[number]))
    return [float(np.mean(of_branch)) for of_branch in held]


def test_each_branch_of_a_dense_block_holds_most_of_its_energy():
    torch.manual_seed(0)
    network = nn.Sequential(Dense(14, 4)).eval()
    images = torch.randn(88, 3, 64, 64)
    layers, fields, views = measured(network, images[:64], ["0"], samples=64)
    assert len(fields["0"].branches) == 15
    held = shares(network, layers[0], fields, views, images[64:])
    assert min(held) >= 0.85, held
    heights = [view.height for view in views["0"].branches]
    assert heights == sorted(heights)
    assert heights[0] == 1
