"""From positions in a layer to boxes in the original image's pixels, many at a time.

The same arithmetic as `Frame.to_original`, which says what a box is: half-open, rounded outwards, clipped, never empty.
"""

from dataclasses import dataclass

import numpy as np

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
    return Patches(
        y.astype(np.int32),
        x.astype(np.int32),
        boxes(positions, layer, frame, widths, heights),
        views(positions, layer, frame, widths, heights),
    )


def boxes(
    positions: np.ndarray, layer: LayerRow, frame: Frame, widths: np.ndarray, heights: np.ndarray
) -> np.ndarray:
    """(patches, 4) int32: the receptive fields; for layers without positions the whole input."""
    return _windows(positions, layer, frame, widths, heights, size=(layer.rf_height, layer.rf_width))


def views(
    positions: np.ndarray, layer: LayerRow, frame: Frame, widths: np.ndarray, heights: np.ndarray
) -> np.ndarray:
    """(patches, 4) int32: windows of view_height x view_width around the receptive fields' centres, in the image.

    An odd difference leaves the extra pixel below and to the right.
    """
    return _windows(positions, layer, frame, widths, heights, size=(layer.view_height, layer.view_width))


def _windows(
    positions: np.ndarray,
    layer: LayerRow,
    frame: Frame,
    widths: np.ndarray,
    heights: np.ndarray,
    *,
    size: tuple[int, int],
) -> np.ndarray:
    """Windows of `size` (height, width) of the model's input around the receptive fields' centres, in the image."""
    geometry = _sizes(frame, widths.astype(np.int64), heights.astype(np.int64))
    if layer.has_positions:
        y, x = np.divmod(positions.astype(np.int64), layer.width)
        y0 = layer.start_y + y * layer.stride_y + (layer.rf_height - size[0]) // 2
        x0 = layer.start_x + x * layer.stride_x + (layer.rf_width - size[1]) // 2
        y1, x1 = y0 + size[0], x0 + size[1]
    else:
        y0 = x0 = np.zeros(len(positions), np.int64)
        y1, x1 = geometry[:, 5], geometry[:, 4]
    resized_width, resized_height, left, top = geometry[:, :4].T
    left_edge, right_edge = _stretch(x0 + left, x1 + left, widths.astype(np.int64), resized_width)
    top_edge, bottom_edge = _stretch(y0 + top, y1 + top, heights.astype(np.int64), resized_height)
    return np.stack([left_edge, top_edge, right_edge, bottom_edge], axis=1).astype(np.int32)


def _sizes(frame: Frame, widths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(images, 6) int64: resized width and height, left and top of the crop, width and height of the model's input.

    `Frame` itself is asked, once for each distinct size.
    """
    distinct, inverse = np.unique(widths << 32 | heights, return_inverse=True)
    rows = np.empty((len(distinct), 6), np.int64)
    for row, size in zip(rows, distinct.tolist(), strict=True):
        width, height = size >> 32, size & 0xFFFFFFFF
        input_height, input_width = frame.input_size(width, height)
        row[:] = (*frame.resized(width, height), *frame.offset(width, height), input_width, input_height)
    return rows[inverse]


def _stretch(
    low: np.ndarray, high: np.ndarray, size: np.ndarray, resized: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[low, high) of `resized` pixels in `size` pixels, as in `Frame`."""
    start = np.clip((low * size) // resized, 0, size - 1)
    stop = -((-high * size) // resized)
    return start, np.clip(stop, start + 1, size)
