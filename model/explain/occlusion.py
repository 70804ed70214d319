"""Occlusion: how much a score falls when a window of the image is covered.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014), section 4.2. A covered image
is unlike any that the network has seen, so the fill matters: the mean colour, or the image itself blurred.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Fill = Literal["mean", "blur"]
Score = Callable[[Tensor], Tensor]
"""(n, 3, height, width) → (n,): of each image."""
BATCH = 64


@dataclass(frozen=True)
class Windows:
    """side, stride: of the covering windows, (rows, columns) in pixels of the network's input."""

    side: tuple[int, int]
    stride: tuple[int, int]

    @staticmethod
    def usual(height: int, width: int) -> "Windows":
        """Return windows of a quarter of each side, moved by a quarter of themselves."""
        side = max(1, height // 4), max(1, width // 4)
        return Windows(side, (max(1, side[0] // 4), max(1, side[1] // 4)))

    def corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return top, left of every window; the last of a row or column ends at the edge, so every pixel is covered."""
        return list(itertools.product(self._starts(height, 0), self._starts(width, 1)))

    def _starts(self, length: int, axis: int) -> list[int]:
        last = max(0, length - self.side[axis])
        return [*range(0, last, self.stride[axis]), last]


def occlusion(
    images: Tensor, score: Score, windows: Windows, *, fill: Fill = "mean", batch: int = BATCH
) -> Tensor:
    """Return (n, height, width): of each pixel the mean fall of the score over the windows that cover it.

    images: (n, 3, height, width), normalised, so that 0 is the mean colour. Positive where the pixels speak for the
    score. The images that are covered go through the network `batch` at a time.
    """
    height, width = int(images.shape[2]), int(images.shape[3])
    filling = filled(images, windows, fill)
    corners = windows.corners(height, width)
    rows, columns = windows.side
    with torch.inference_mode():
        whole = _batched(score, iter(images), batch)
        covered = (
            _cover(images[image], filling[image], top, left, windows)
            for image in range(len(images))
            for top, left in corners
        )
        falls = whole[:, None] - _batched(score, covered, batch).reshape(len(images), len(corners))
    total = torch.zeros(len(images), height, width, dtype=torch.float64)
    times = torch.zeros(height, width, dtype=torch.float64)
    for place, (top, left) in enumerate(corners):
        window = slice(top, top + rows), slice(left, left + columns)
        total[:, window[0], window[1]] += falls[:, place, None, None].double().cpu()
        times[window] += 1
    return (total / times).float()


def filled(images: Tensor, windows: Windows, fill: Fill) -> Tensor:
    """Return what stands in for covered pixels: the mean colour, or the images blurred by half a window."""
    if fill == "mean":
        return torch.zeros_like(images)
    return blurred(images, max(windows.side) / 2)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """Return the images blurred by a Gaussian, edges repeated. sigma: in pixels, 0 for none."""
    if sigma <= 0:
        return images
    reach = max(1, math.ceil(3 * sigma))
    steps = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(images.shape[1], 1)
    found = images
    for shape, pad in (
        ((-1, 1, 1, len(steps)), (reach, reach, 0, 0)),
        ((-1, 1, len(steps), 1), (0, 0, reach, reach)),
    ):
        found = F.conv2d(F.pad(found, pad, mode="replicate"), kernel.reshape(shape), groups=images.shape[1])
    return found


def _cover(image: Tensor, filling: Tensor, top: int, left: int, windows: Windows) -> Tensor:
    rows, columns = slice(top, top + windows.side[0]), slice(left, left + windows.side[1])
    covered = image.clone()
    covered[:, rows, columns] = filling[:, rows, columns]
    return covered


def _batched(score: Score, images: Iterator[Tensor], batch: int) -> Tensor:
    found: list[Tensor] = []
    while some := list(itertools.islice(images, batch)):
        found.append(score(torch.stack(some)))
    return torch.cat(found)
