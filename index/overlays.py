"""Overlays: transparent tiles in the pyramids of an atlas, each cell coloured by what its images are; made when asked.

A cell, or where cells are smaller than a pixel a square of them, shows the mean of its images' numbers, the commonest
of their classes, or how many of them are wrong.
"""

import io
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from ..common.errors import NotFoundError
from .atlas import Atlas
from .map_places import MapPlaces
from .once import OnceCache
from .painted import Painted
from .palettes import MARK, MISSING, SERIES, ordered, two_ended
from .tiles import TILE, Pyramid

T = TypeVar("T")

_COLOURED, _MISSING = 255, 254
"""Opacity of a square; that of missing values also says that they are."""
_FAINTEST = 90
_STRIPE = 3
_CELL = 32
"""Pixels of a cell in the deepest level, where an atlas has no tiles that say it."""


@dataclass(frozen=True)
class Overlay:
    """What is painted onto one grid of an atlas.

    digest: of the atlas's manifest. painted: by what. key: all that `painted` is made from, beside the store.
    """

    atlas: Atlas
    digest: str
    grid: str
    painted: Painted
    key: Hashable

    @property
    def pyramid(self) -> Pyramid:
        """The levels: those of the atlas's tiles, or without tiles what they would be."""
        if self.atlas.tiles is not None:
            return self.atlas.tiles.pyramids[self.grid]
        rows, columns = (self.atlas.assigned if self.grid == "assigned" else self.atlas.grid).shape
        return Pyramid(rows, columns, _CELL)


class Overlays:
    """The overlays of one store's atlases. Any threads may share it.

    cache: of places, of what is painted, of coloured grids.
    """

    def __init__(self, cache: OnceCache) -> None:
        self._cache = cache

    def places(self, atlas: Atlas, digest: str, grid: str) -> MapPlaces:
        """Where the images lie. digest: of the atlas's manifest."""
        key = ("places", digest, grid)
        return self._cache.get(key, lambda: MapPlaces.of(atlas, grid), lambda made: made.bytes)

    def kept(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """What `make` gives, kept. key: of all that it is made from, beside the store."""
        return self._cache.get(key, make, size)

    def density(self, atlas: Atlas, digest: str, images: int) -> np.ndarray:
        """(images,) float32 by image_id: how many images lie in the same cell of the map; NaN for those not on it."""
        bins, rows, columns = self.places(atlas, digest, "nearest").bins(1)
        found = np.full(images, np.nan, np.float32)
        found[atlas.images] = np.bincount(bins, minlength=rows * columns)[bins]
        return found

    def tile(self, overlay: Overlay, level: int, column: int, row: int) -> bytes:
        """A PNG. Raises NotFoundError for a tile that is none."""
        pyramid = overlay.pyramid
        one = pyramid.levels[_checked(overlay, level, column, row)]
        side = pyramid.cell / 2 ** (len(pyramid.levels) - 1 - level)
        cells = 1
        while side * cells < 1:
            cells *= 2
        coloured = self._coloured(overlay, cells)
        left, top = column * TILE, row * TILE
        size = min(TILE, one.width - left), min(TILE, one.height - top)
        return _png(coloured, side * cells, (left, top), size)

    def _coloured(self, overlay: Overlay, cells: int) -> np.ndarray:
        def make() -> np.ndarray:
            places = self.places(overlay.atlas, overlay.digest, overlay.grid)
            return colour(overlay.painted, overlay.atlas.images, places, cells)

        key = ("coloured", overlay.digest, overlay.grid, overlay.key, cells)
        return self._cache.get(key, make, lambda made: made.nbytes)


def _checked(overlay: Overlay, level: int, column: int, row: int) -> int:
    levels = overlay.pyramid.levels
    if not 0 <= level < len(levels):
        raise NotFoundError(f"no level {level}: the {overlay.grid} grid has levels 0 to {len(levels) - 1}")
    one = levels[level]
    if not (0 <= column < one.columns and 0 <= row < one.rows):
        raise NotFoundError(
            f"no tile {column}_{row}: level {level} of the {overlay.grid} grid has columns 0 to {one.columns - 1} and "
            f"rows 0 to {one.rows - 1}"
        )
    return level


def colour(painted: Painted, images: np.ndarray, places: MapPlaces, cells: int) -> np.ndarray:
    """(rows, columns, 4) uint8 of squares of cells x cells cells. images: (n,) int64 ids, those of `places`."""
    bins, rows, columns = places.bins(cells)
    values = painted.values[images]
    known = ~np.isnan(values)
    found = np.zeros((rows * columns, 4), np.uint8)
    if painted.kind != "marked":
        found[bins] = (0, 0, 0, _MISSING)
    numbers, counts = _summed(painted, bins[known], values[known], rows * columns)
    there = np.flatnonzero(counts)
    found[there, :3] = _colours(painted, numbers[there])
    found[there, 3] = _COLOURED
    if painted.kind == "marked":  # the fuller, the more of a square's images are
        share = counts[there] / np.bincount(bins, minlength=rows * columns)[there]
        found[there, 3] = np.rint(_FAINTEST + (_COLOURED - _FAINTEST) * share)
        found[found[:, 3] == _MISSING, 3] = _COLOURED
    return found.reshape(rows, columns, 4)


def _summed(
    painted: Painted, bins: np.ndarray, values: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each square its one number, (size,) float64, and of how many images it is."""
    counts = np.bincount(bins, minlength=size)
    if painted.kind != "classes":
        return np.bincount(bins, weights=values, minlength=size) / np.maximum(counts, 1), counts
    classes = len(painted.names)
    pairs, frequent = np.unique(bins * classes + values.astype(np.int64), return_counts=True)
    order = np.lexsort(
        (-pairs, frequent, pairs // classes)
    )  # of a square the last is the commonest, of equals the first
    numbers = np.zeros(size)
    numbers[pairs[order] // classes] = pairs[order] % classes
    return numbers, counts


def _colours(painted: Painted, numbers: np.ndarray) -> np.ndarray:
    if painted.kind == "marked":
        return np.broadcast_to(np.array(MARK, np.uint8), (len(numbers), 3))
    if painted.kind == "classes":
        return SERIES[numbers.astype(np.int64) % len(SERIES)]
    if painted.kind == "share":
        return two_ended(numbers)
    return ordered(shares(painted, numbers))


def shares(painted: Painted, numbers: np.ndarray) -> np.ndarray:
    """(n,) from 0 to 1: where numbers stand between `low` and `high`."""
    low, high = painted.low, painted.high
    if painted.logarithmic:
        low, high, numbers = np.log1p(low), np.log1p(high), np.log1p(numbers)
    return np.clip((numbers - low) / ((high - low) or 1), 0, 1)


def _png(coloured: np.ndarray, side: float, corner: tuple[int, int], size: tuple[int, int]) -> bytes:
    """side: pixels of a square. corner, size: of the tile in the level's pixels."""
    rows, columns = coloured.shape[:2]
    across, down = (corner[axis] + np.arange(size[axis]) for axis in (0, 1))
    column = np.minimum(((across + 0.5) / side).astype(np.int64), columns - 1)
    row = np.minimum(((down + 0.5) / side).astype(np.int64), rows - 1)
    pixels = coloured[row[:, None], column]
    missing = pixels[..., 3] == _MISSING
    if missing.any():
        stripes = ((across + down[:, None]) // _STRIPE) % 2
        pixels[missing, :3] = np.array(MISSING, np.uint8)[stripes[missing]]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
