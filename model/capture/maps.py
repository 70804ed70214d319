"""Whole activation maps of chosen layers, with the feature and the logits, from one forward pass over a few images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UnitscopeError
from ..layers.layers import Layer, as_grid
from ..outputs import read_output
from ..running.layout import use_channels_last
from ..sources.load import LoadedModel
from .capture import Capture
from .feature import Feature
from .reduce import Reduction

SWEPT_BATCH = 16
"""A batch of at least so many images gives each the same bits as any other such batch; a sweep has no smaller ones."""


@dataclass(frozen=True)
class Observed:
    """What n images did.

    maps: by layer name, (n, units, height, width) float32; vectors have one position. feature: (n, width) float32, or
    None where none was wanted. logits: (n, classes) float32, or None where the network gives no such matrix.
    """

    maps: dict[str, np.ndarray]
    feature: np.ndarray | None
    logits: np.ndarray | None


def observe(
    model: LoadedModel,
    pixels: Tensor,
    layers: Sequence[Layer],
    feature: Feature | None,
    *,
    as_swept: bool = True,
) -> Observed:
    """Run the network once on `pixels`, (n, 3, height, width) uint8 on the CPU, in the threads that torch is set to.

    as_swept: fill the batch up to SWEPT_BATCH with zeros, so that the maxima of the maps and the feature have the bits
    that a sweep on such a processor gives them; without it a single image is several times quicker, and equal but for
    rounding. Raises UnitscopeError where the network fails on the images, LayerError where a layer does not run.
    """
    count = len(pixels)
    if as_swept and count < SWEPT_BATCH:
        pixels = torch.cat([pixels, pixels.new_zeros((SWEPT_BATCH - count, *pixels.shape[1:]))])
    kept: dict[str, np.ndarray] = {}
    nothing = torch.empty(0)

    def keep(output: Tensor, layer: Layer) -> Reduction:
        grid = as_grid(output.detach(), layer)[:count]
        kept[layer.name] = grid.to(torch.float32, copy=True, memory_format=torch.contiguous_format).numpy()
        return Reduction(nothing, nothing)

    network = use_channels_last(model.network)
    with torch.inference_mode(), Capture(network, layers, feature, reducer=keep) as capture:
        batch = model.preprocess.normalise(pixels)
        try:
            output: object = network(batch)
        except RuntimeError as error:
            shape = "x".join(map(str, batch.shape))
            raise UnitscopeError(f"the network failed on a batch of shape {shape}: {error}") from error
        found = capture.take().feature
        logits = None
        scores = read_output(output)
        if scores is not None and len(scores) == len(batch):
            logits = scores[:count].float().numpy()
    return Observed(kept, None if found is None else found[:count].numpy(), logits)
