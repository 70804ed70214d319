"""Whether what a network says of an image depends on that image alone, not on chance or on the others in its batch.

A batch normalisation or a dropout that still trains breaks this without an error, and a store would be one of many.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...common.errors import LayerError, UnitscopeError
from ..capture.capture import Capture, Captured
from ..capture.feature import Feature
from ..layers.layers import Layer
from ..running.trace import random_images, undisturbed

IMAGES = 4
"""Two are compared, two stand beside them."""
TOLERANCE = 1e-3
"""Of a layer's largest value: far above rounding, far below what a dropout or a batch's statistics change."""


def check_independence(
    network: nn.Module, layers: Sequence[Layer], feature: Feature, input_size: tuple[int, int]
) -> None:
    """Run the network three times. Raises LayerError, naming the first layer that differs."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    images = random_images(network, IMAGES, input_size, device, seed=5)
    others = images.clone()
    others[IMAGES // 2 :] = 3 * others[IMAGES // 2 :] + 1
    with undisturbed(network, device), Capture(network, layers, feature) as capture:
        first, again, beside = (_run(capture, batch) for batch in (images, images, others))
    if changed := _first_change(first, again):
        raise LayerError(
            f"{changed} gives other values when the same images come again: something in the network is drawn by "
            f"chance, such as a dropout that is on. {_advice(network)}"
        )
    if changed := _first_change(first, beside):
        raise LayerError(
            f"{changed} gives an image other values when other images stand beside it in the batch, as a batch "
            f"normalisation does that still trains. {_advice(network)}"
        )


def _run(capture: Capture, images: Tensor) -> Captured:
    try:
        capture.network(images.clone())
    except UnitscopeError:
        raise
    except Exception as error:
        shape = "x".join(map(str, images.shape))
        raise LayerError(
            f"the network fails on a batch of shape {shape}: {type(error).__name__}: {error}; it must take any "
            "number of images"
        ) from error
    return capture.take()


def _first_change(one: Captured, other: Captured) -> str | None:
    """Return what differs for the images that are in both batches."""
    for name, reduction in one.reductions.items():
        if _differs(reduction.values, other.reductions[name].values):
            return f"layer {name}"
    if one.feature is not None and other.feature is not None and _differs(one.feature, other.feature):
        return "the feature"
    return None


def _differs(one: Tensor, other: Tensor) -> bool:
    """Return (images, units) each: NaN equals NaN, which the sweep itself reports."""
    one, other = one[: IMAGES // 2], other[: IMAGES // 2]
    largest = one.nan_to_num().abs().amax().item() if one.numel() else 0.0
    return not torch.allclose(one, other, rtol=0, atol=TOLERANCE * largest, equal_nan=True)


def _advice(network: nn.Module) -> str:
    training = [
        f"{name or 'the network'} ({type(part).__name__})"
        for name, part in network.named_modules()
        if part.training and not any(part.children())
    ]
    found = f" (now: {', '.join(training[:3])})" if training else ""
    return f"Let `forward` depend on each image alone; no module may train{found}"
