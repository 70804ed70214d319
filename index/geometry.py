"""From positions in a layer to boxes in the original image's pixels, many at a time.

The same arithmetic as `Frame.to_original`, which says what a box is: half-open, rounded outwards, clipped, never empty.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..common.frame import Frame
from .schema import LayerRow


@dataclass(frozen=True)
class Patches:
    """Where patches are.

    y, x: (patches,) int32, the position; boxes, views: (patches, 4) int32, (x0, y0, x1, y1) of the receptive field and
    of the view.
    """

    y: np.ndarray
    x: np.ndarray
    boxes: np.ndarray
    views: np.ndarray


def patches(
    positions: np.ndarray, layer: LayerRow, frame: Frame, widths: np.ndarray, heights: np.ndarray
) -> Patches:
    """Where the patches at these positions are.

    positions: (patches,) integer, flat y * width + x; widths, heights: (patches,) integer, of the original images.
    """
    y, x = np.divmod(positions.astype(np.int64), max(1, layer.width))
    images = _Images.of(frame, widths, heights)
    fields = _windows(y, x, layer, images, size=(layer.rf_height, layer.rf_width))
    if layer.has_positions:
        seen = _windows(y, x, layer, images, size=(layer.view_height, layer.view_width))
    else:
        seen = fields
    return Patches(y.astype(np.int32), x.astype(np.int32), fields, seen)


@dataclass(frozen=True)
class _Images:
    """For each patch, (patches,) int64: its image's own size, the resized one, where the crop begins in it, and the
    size of the model's input."""

    width: np.ndarray
    height: np.ndarray
    resized_width: np.ndarray
    resized_height: np.ndarray
    left: np.ndarray
    top: np.ndarray
    input_width: np.ndarray
    input_height: np.ndarray

    @staticmethod
    def of(frame: Frame, widths: np.ndarray, heights: np.ndarray) -> "_Images":
        """`Frame` itself is asked, once for each distinct size."""
        keys = widths.astype(np.int64) << 32 | heights.astype(np.int64)
        encoded = pa.array(keys).dictionary_encode()
        rows = np.empty((8, len(encoded.dictionary)), np.int64)
        for place, size in enumerate(encoded.dictionary.to_pylist()):
            width, height = size >> 32, size & 0xFFFFFFFF
            input_height, input_width = frame.input_size(width, height)
            rows[:, place] = (
                *(width, height, *frame.resized(width, height), *frame.offset(width, height)),
                *(input_width, input_height),
            )
        return _Images(*rows[:, encoded.indices.to_numpy()])


def _windows(
    y: np.ndarray, x: np.ndarray, layer: LayerRow, images: _Images, *, size: tuple[int, int]
) -> np.ndarray:
    """(patches, 4) int32: windows of `size` (height, width) of the model's input around the receptive fields' centres,
    in the image; for layers without positions the whole input.

    An odd difference leaves the extra pixel below and to the right.
    """
    if layer.has_positions:
        y0 = layer.start_y + y * layer.stride_y + (layer.rf_height - size[0]) // 2
        x0 = layer.start_x + x * layer.stride_x + (layer.rf_width - size[1]) // 2
        y1, x1 = y0 + size[0], x0 + size[1]
    else:
        y0 = x0 = np.zeros(len(y), np.int64)
        y1, x1 = images.input_height, images.input_width
    left, right = _stretch(x0 + images.left, x1 + images.left, images.width, images.resized_width)
    top, bottom = _stretch(y0 + images.top, y1 + images.top, images.height, images.resized_height)
    return np.stack([left, top, right, bottom], axis=1).astype(np.int32)


def _stretch(
    low: np.ndarray, high: np.ndarray, size: np.ndarray, resized: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[low, high) of `resized` pixels in `size` pixels, as in `Frame`."""
    start = np.clip((low * size) // resized, 0, size - 1)
    stop = -((-high * size) // resized)
    return start, np.clip(stop, start + 1, size)
