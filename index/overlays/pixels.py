"""The pixels of one tile of an overlay: squares of a grid, or thumbnails at their places. Pure.

A pixel is a colour's place in a palette (overlay_colours.py).
"""

import io

import numpy as np
from PIL import Image

from .rendering import CLEAR, GAP, STRIPES

_STRIPE = 3


def squares(coloured: np.ndarray, side: float, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Return (height, width) uint8. coloured: (rows, columns), of squares of `side` pixels.

    corner: the tile's left and top in the level's pixels; size: its width and height.
    """
    rows, columns = coloured.shape
    across, down = (corner[axis] + np.arange(size[axis]) for axis in (0, 1))
    column = np.minimum(((across + 0.5) / side).astype(np.int64), columns - 1)
    row = np.minimum(((down + 0.5) / side).astype(np.int64), rows - 1)
    return coloured[row[:, None], column]


def thumbnails(
    colours: np.ndarray, places: np.ndarray, side: int, corner: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Return (height, width) uint8. colours: (n,), of squares of `side` pixels at `places`, (n, 2) left and top, of
    which each reaches into the tile; none overlap.
    """
    pixels = np.full((size[1] + 2 * side, size[0] + 2 * side), CLEAR, np.uint8)
    starts = (places - corner + side).tolist()
    for (left, top), colour in zip(starts, colours, strict=True):
        pixels[top : top + side, left : left + side] = colour
    return pixels[side:-side, side:-side]


def png(pixels: np.ndarray, corner: tuple[int, int], palette: np.ndarray) -> bytes:
    """Return the tile, with stripes where values are missing that go on from tile to tile. palette: (colours, 4)
    uint8.
    """
    missing = pixels == GAP
    if missing.any():
        down, across = (corner[1 - axis] + np.arange(pixels.shape[axis]) for axis in (0, 1))
        stripes = STRIPES + ((across + down[:, None]) // _STRIPE) % 2
        pixels = np.where(missing, stripes, pixels).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("P")
    image.putpalette(palette[:, :3].tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1, transparency=palette[:, 3].tobytes())
    return file.getvalue()
