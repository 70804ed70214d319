"""Pictures of activation maps and filters: mosaics of gray or coloured cells, and one map over the model's input."""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...common.errors import UsageError

GAP = 96
"""The gray between cells."""
MAX_PIXELS = 24 << 20
"""Of one picture."""

# Anchors of matplotlib's `inferno` (CC0), a map whose lightness grows evenly; the colours between are interpolated.
_ANCHORS = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85), (227, 89, 51), (249, 140, 10),
    (249, 201, 50), (252, 255, 164),
)  # fmt: skip
_COLOURS = (
    np.stack(
        [
            np.interp(np.arange(256), np.linspace(0, 255, len(_ANCHORS)), one)
            for one in zip(*_ANCHORS, strict=True)
        ],
        axis=1,
    )
    .round()
    .astype(np.uint8)
)


@dataclass(frozen=True)
class Mosaic:
    """Where the cells of a mosaic lie: cell i is in row i // columns, column i % columns.

    cell_height, cell_width: pixels of a cell, without the `gap` pixels between cells. height, width: of the picture.
    """

    cells: int
    rows: int
    columns: int
    cell_height: int
    cell_width: int
    gap: int
    height: int
    width: int


def mosaic_of(cells: int, size: tuple[int, int], zoom: int) -> Mosaic:
    """Return about as high as wide. size: (height, width) of a cell before it is enlarged.

    Raises UsageError where the picture would be too large.
    """
    height, width = size[0] * zoom, size[1] * zoom
    gap = 0 if height == width == 1 else 1
    columns = min(cells, math.ceil(math.sqrt(cells * (height + gap) / (width + gap))))
    rows = -(-cells // columns)
    full_height, full_width = rows * (height + gap) - gap, columns * (width + gap) - gap
    if full_height * full_width > MAX_PIXELS:
        raise UsageError(
            f"the picture of {cells:,} cells of {height} x {width} would have {full_height * full_width:,} pixels; at "
            f"most {MAX_PIXELS:,} are made: give a smaller zoom, or one unit"
        )
    return Mosaic(cells, rows, columns, height, width, gap, full_height, full_width)


def draw(cells: np.ndarray, mosaic: Mosaic, zoom: int) -> np.ndarray:
    """Draw a mosaic. cells: (n, height, width) or (n, height, width, 3) uint8 → the picture, (height, width[, 3])
    uint8.
    """
    pixels = cells.repeat(zoom, axis=1).repeat(zoom, axis=2)
    step_y, step_x = mosaic.cell_height + mosaic.gap, mosaic.cell_width + mosaic.gap
    canvas = np.full((mosaic.rows * mosaic.columns, step_y, step_x, *cells.shape[3:]), GAP, np.uint8)
    canvas[: len(cells), : mosaic.cell_height, : mosaic.cell_width] = pixels
    canvas = canvas.reshape(mosaic.rows, mosaic.columns, *canvas.shape[1:]).swapaxes(1, 2)
    flat = canvas.reshape(mosaic.rows * step_y, mosaic.columns * step_x, *cells.shape[3:])
    return flat[: mosaic.height, : mosaic.width]


def gray(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Scale to gray. values: (n, height, width) float32; low, high: (n,) → uint8, 0 for `low` and less (and NaN),
    255 for `high`.
    """
    low, high = (np.asarray(x, np.float64)[:, None, None] for x in (low, high))
    span = np.where(high > low, high - low, 1)
    with np.errstate(invalid="ignore", over="ignore"):
        share = np.nan_to_num((values - low) / span, nan=0, posinf=1, neginf=0)
    return (share.clip(0, 1) * 255).round().astype(np.uint8)


def limits(maps: np.ndarray, scale: str, highest: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high), each (units,): what is black and what is white. maps: (units, height, width) float32.

    Black is 0, or the least value where that is below 0. White is the greatest value: of the unit's own map (`unit`),
    of all the layer's maps (`layer`), or of the unit in the whole dataset (`dataset`: `highest`, (units,)).
    """
    finite = np.where(np.isfinite(maps), maps, 0)
    low, high = np.minimum(finite.min((1, 2)), 0), finite.max((1, 2))
    if scale == "layer":
        return np.full_like(low, low.min()), np.full_like(high, high.max())
    if scale == "dataset":
        assert highest is not None
        return low, highest
    return low, high


def over_input(
    levels: np.ndarray,
    *,
    rf: tuple[int, int],
    stride: tuple[int, int],
    start: tuple[int, int],
    size: tuple[int, int],
) -> np.ndarray:
    """Spread over the input. levels: (height, width) → (input height, input width): each pixel of the input shows
    the nearest position.

    A position lies at the centre of its receptive field. rf, stride, start: (y, x) in pixels of the input.
    """
    rows, columns = (
        _nearest(positions, size[axis], rf[axis], stride[axis], start[axis])
        for axis, positions in enumerate(levels.shape)
    )
    return levels[rows[:, None], columns[None, :]]


def _nearest(positions: int, pixels: int, rf: int, stride: int, start: int) -> np.ndarray:
    centres = start + rf / 2 + np.arange(positions) * max(stride, 1)
    nearest = np.rint((np.arange(pixels) + 0.5 - centres[0]) / max(stride, 1))
    return nearest.clip(0, positions - 1).astype(np.intp)


def colour(levels: np.ndarray, *, overlay: bool) -> np.ndarray:
    """Color the levels. levels: (height, width) uint8 → (height, width, 3) uint8, or with `overlay` 4: opaque where
    a level is high.
    """
    pixels = _COLOURS[levels]
    return np.concatenate([pixels, levels[:, :, None]], axis=2) if overlay else pixels


def png(pixels: np.ndarray) -> bytes:
    """Encode a PNG. pixels: (height, width) or (height, width, 3 or 4) uint8."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=1)
    return file.getvalue()
