"""From positions in a layer to boxes in the original image's pixels, many at a time.

The same arithmetic as `Frame.to_original`, which says what a box is: half-open, rounded outwards, clipped, never empty.
"""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from ...common.frame import Frame
from .layer_row import Geometry, LayerRow


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
    positions: np.ndarray,
    layer: LayerRow,
    frame: Frame,
    widths: np.ndarray,
    heights: np.ndarray,
    *,
    units: np.ndarray | None = None,
) -> Patches:
    """Return where the patches at these positions are.

    positions: (patches,) integer, flat y * width + x; widths, heights: (patches,) integer, of the original images.
    units: (patches,) integer, the unit of each patch, whose branch says what it sees; without it a patch is what any
    unit of the layer sees.
    """
    y, x = np.divmod(positions.astype(np.int64), max(1, layer.width))
    images = _Images.of(frame, widths, heights)
    if layer.has_positions:
        boxes, views = _by_branch(y, x, layer, images, units)
    else:
        boxes = views = images.boxes(*images.whole)
    return Patches(y.astype(np.int32), x.astype(np.int32), boxes, views)


def _by_branch(
    y: np.ndarray, x: np.ndarray, layer: LayerRow, images: "_Images", units: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (patches, 4) int32 twice: the receptive fields and the views, of the branch of each patch's unit."""
    if units is None or not layer.branches:
        return _of_geometry(y, x, layer.geometry, images)
    branch = np.zeros(layer.units, np.int64)
    for number, one in enumerate(layer.branches):
        branch[list(one.units)] = number
    boxes, views = (np.empty((len(y), 4), np.int32) for _ in range(2))
    of_patch = branch[units]
    for number in np.unique(of_patch):
        rows = np.flatnonzero(of_patch == number)
        boxes[rows], views[rows] = _of_geometry(y[rows], x[rows], layer.branches[number], images.take(rows))
    return boxes, views


def _of_geometry(
    y: np.ndarray, x: np.ndarray, geometry: Geometry, images: "_Images"
) -> tuple[np.ndarray, np.ndarray]:
    """Return (patches, 4) int32 twice: the receptive fields and the views of positions. A view is never beyond the
    field.
    """
    this = geometry
    top, left = this.start_y + y * this.stride_y, this.start_x + x * this.stride_x
    bottom, right = top + this.rf_height, left + this.rf_width
    if this.view_y0 and this.view_x0:
        view_y0, view_x0 = np.array(this.view_y0, np.int64)[y], np.array(this.view_x0, np.int64)[x]
    else:  # an odd difference leaves the extra pixel below and to the right
        view_y0, view_x0 = (
            top + (this.rf_height - this.view_height) // 2,
            left + (this.rf_width - this.view_width) // 2,
        )
    view_y1, view_x1 = view_y0 + this.view_height, view_x0 + this.view_width
    views = images.boxes(
        np.clip(view_x0, left, right - 1),
        np.clip(view_y0, top, bottom - 1),
        np.clip(view_x1, left + 1, right),
        np.clip(view_y1, top + 1, bottom),
    )
    return images.boxes(left, top, right, bottom), views


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
        """Return `Frame` itself is asked, once for each distinct size."""
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

    def take(self, rows: np.ndarray) -> "_Images":
        """Return some of the patches' images."""
        return _Images(*(getattr(self, column.name)[rows] for column in fields(self)))

    @property
    def whole(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The box of the whole input of each, in its own pixels."""
        zero = np.zeros(len(self.width), np.int64)
        return zero, zero, self.input_width, self.input_height

    def boxes(self, x0: np.ndarray, y0: np.ndarray, x1: np.ndarray, y1: np.ndarray) -> np.ndarray:
        """Return (patches, 4) int32, (x0, y0, x1, y1): boxes of the input in the original images."""
        left, right = _stretch(x0 + self.left, x1 + self.left, self.width, self.resized_width)
        top, bottom = _stretch(y0 + self.top, y1 + self.top, self.height, self.resized_height)
        return np.stack([left, top, right, bottom], axis=1).astype(np.int32)


def _stretch(
    low: np.ndarray, high: np.ndarray, size: np.ndarray, resized: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return [low, high) of `resized` pixels in `size` pixels, as in `Frame`."""
    start = np.clip((low * size) // resized, 0, size - 1)
    stop = -((-high * size) // resized)
    return start, np.clip(stop, start + 1, size)
