"""From the values of items to colours: of single images, and of squares that hold several. Pure.

A square shows the mean of its images' numbers, the commonest of their classes, or how many of them are wrong or marked.
Colours are places in a palette: so a tile is small, and made in a tenth of the time.
"""

import io

import numpy as np
from PIL import Image

from .coloring import ItemColors
from .palettes import MARK, MISSING, SERIES, ordered, two_ended
from .positions import MapPlaces

CLEAR, GAP = 0, 1
"""Nothing is there; an image is there, but no value: stripes are drawn."""
STRIPES = 2
"""The first of the stripes' colours."""
_FIRST = STRIPES + len(MISSING)
"""Of the colours of values."""
_STEPS = 128
"""That numbers are told apart in."""
_FAINTEST = 90


def palette(colors: ItemColors) -> np.ndarray:
    """Return (colours, 4) uint8."""
    steps = np.linspace(0, 1, _STEPS)
    if colors.kind == "marked":
        colours = np.tile(np.array([*MARK, 255], np.uint8), (_STEPS, 1))
        colours[:, 3] = np.rint(_FAINTEST + (255 - _FAINTEST) * steps)
    elif colors.kind == "classes":
        colours = _opaque(SERIES)
    else:
        colours = _opaque(two_ended(steps) if colors.kind == "share" else ordered(steps))
    clear = np.zeros((2, 4), np.uint8)
    return np.concatenate([clear, _opaque(np.array(MISSING, np.uint8)), colours])


def square_colours(colors: ItemColors, images: np.ndarray, places: MapPlaces, cells: int) -> np.ndarray:
    """Return (rows, columns) uint8 of squares of cells x cells cells. images: (n,) int64 ids, those of `places`."""
    bins, rows, columns = places.bins(cells)
    values = colors.values[images]
    known = ~np.isnan(values)
    found = np.full(rows * columns, CLEAR, np.uint8)
    if colors.kind != "marked":
        found[bins] = GAP
    numbers, counts = _summed(colors, bins[known], values[known], rows * columns)
    there = np.flatnonzero(counts)
    numbers = numbers[there]
    if colors.kind == "marked":  # the fuller, the more of a square's images are
        numbers = counts[there] / np.bincount(bins, minlength=rows * columns)[there]
    found[there] = _colours(colors, numbers)
    return found.reshape(rows, columns)


def image_colours(colors: ItemColors, values: np.ndarray) -> np.ndarray:
    """Return (n,) uint8. values: (n,) float32, of single images."""
    known = ~np.isnan(values)
    found = np.full(len(values), CLEAR if colors.kind == "marked" else GAP, np.uint8)
    found[known] = _colours(colors, values[known])
    return found


def shares(colors: ItemColors, numbers: np.ndarray) -> np.ndarray:
    """Return (n,) from 0 to 1: where numbers stand between `low` and `high`."""
    low, high = colors.low, colors.high
    if colors.logarithmic:
        low, high, numbers = np.log1p(low), np.log1p(high), np.log1p(numbers)
    return np.clip((numbers - low) / ((high - low) or 1), 0, 1)


def _summed(
    colors: ItemColors, bins: np.ndarray, values: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the one number of each square, (size,) float64, and of how many images it is."""
    counts = np.bincount(bins, minlength=size)
    if colors.kind != "classes":
        return np.bincount(bins, weights=values, minlength=size) / np.maximum(counts, 1), counts
    classes = len(colors.names)
    pairs, frequent = np.unique(bins * classes + values.astype(np.int64), return_counts=True)
    # in this order the last of a square is its commonest class, and of equals the first
    order = np.lexsort((-pairs, frequent, pairs // classes))
    numbers = np.zeros(size)
    numbers[pairs[order] // classes] = pairs[order] % classes
    return numbers, counts


def _colours(colors: ItemColors, numbers: np.ndarray) -> np.ndarray:
    if colors.kind == "classes":
        return (_FIRST + numbers).astype(np.uint8)
    if colors.kind == "numbers":
        numbers = shares(colors, numbers)
    return (_FIRST + np.rint(numbers * (_STEPS - 1))).astype(np.uint8)


def _opaque(colours: np.ndarray) -> np.ndarray:
    """Return (n, 4) uint8 from (n, 3)."""
    return np.concatenate([colours, np.full((len(colours), 1), 255, np.uint8)], axis=1)


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
