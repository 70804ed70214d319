"""Overlays: transparent tiles in the pyramids of an atlas, made when asked for.

In a grid each cell is coloured by its images, or where cells are smaller than a pixel a square of them; in the scatter
each thumbnail by its own.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...common.errors import NotFoundError
from ..atlas.atlas import Atlas
from ..atlas.scatter import Scatter
from ..atlas.tiles import TILE, Pyramid
from ..caching.once import OnceCache
from .coloring import ItemColors
from .positions import MapPlaces
from .rendering import image_colours, palette, png, square_colours, squares, thumbnails

T = TypeVar("T")

_CELL = 32
"""Pixels of a cell in the deepest level, where an atlas has no tiles that say it."""


@dataclass(frozen=True)
class Overlay:
    """One coloring of one grid of an atlas.

    digest: of the atlas's manifest. colors: by what. key: all that `colors` is made from, beside the store.
    """

    atlas: Atlas
    digest: str
    grid: str
    colors: ItemColors
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

    cache: of places, of the colors of items, of coloured grids.
    """

    def __init__(self, cache: OnceCache) -> None:
        self._cache = cache

    def places(self, atlas: Atlas, digest: str, grid: str) -> MapPlaces:
        """Return where the images lie. digest: of the atlas's manifest."""
        key = ("places", digest, grid)
        return self._cache.get(key, lambda: MapPlaces.of(atlas, grid), lambda made: made.bytes)

    def kept(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """Return what `make` gives, kept. key: of all that it is made from, beside the store."""
        return self._cache.get(key, make, size)

    def density(self, atlas: Atlas, digest: str, images: int) -> np.ndarray:
        """Return (images,) float32 by image_id: how many images lie in the same cell of the map; NaN for those not on
        it.
        """
        bins, rows, columns = self.places(atlas, digest, "nearest").bins(1)
        found = np.full(images, np.nan, np.float32)
        found[atlas.images] = np.bincount(bins, minlength=rows * columns)[bins]
        return found

    def tile(self, overlay: Overlay, level: int, column: int, row: int) -> bytes:
        """Return a PNG. Raises NotFoundError for a tile that is none."""
        pyramid = overlay.pyramid
        one = pyramid.levels[_checked(overlay, level, column, row)]
        corner = column * TILE, row * TILE
        size = min(TILE, one.width - corner[0]), min(TILE, one.height - corner[1])
        if overlay.grid == "scatter" and overlay.atlas.scatter is not None:
            pixels = self._thumbnails(overlay, overlay.atlas.scatter, level, corner, size)
            return png(pixels, corner, palette(overlay.colors))
        side = pyramid.cell / 2 ** (len(pyramid.levels) - 1 - level)
        cells = 1
        while side * cells < 1:
            cells *= 2
        pixels = squares(self._coloured(overlay, cells), side * cells, corner, size)
        return png(pixels, corner, palette(overlay.colors))

    def _thumbnails(
        self, overlay: Overlay, scatter: Scatter, level: int, corner: tuple[int, int], size: tuple[int, int]
    ) -> np.ndarray:
        """Return the pixels of a tile of the scatter: of the thumbnails that its level shows, those that reach into
        it.
        """
        key = ("shown", overlay.digest, level)
        who, places = self._cache.get(key, lambda: _shown(scatter, level), lambda made: 2 * made[1].nbytes)
        side = scatter.pyramid.cell
        first, stop = np.searchsorted(places[:, 1], (corner[1] - side + 1, corner[1] + size[1]))
        left = places[first:stop, 0]
        near = first + np.flatnonzero((left > corner[0] - side) & (left < corner[0] + size[0]))
        values = overlay.colors.values[overlay.atlas.images[who[near]]]
        return thumbnails(image_colours(overlay.colors, values), places[near], side, corner, size)

    def _coloured(self, overlay: Overlay, cells: int) -> np.ndarray:
        def make() -> np.ndarray:
            places = self.places(overlay.atlas, overlay.digest, overlay.grid)
            return square_colours(overlay.colors, overlay.atlas.images, places, cells)

        key = ("coloured", overlay.digest, overlay.grid, overlay.key, cells)
        return self._cache.get(key, make, lambda made: made.nbytes)


def _shown(scatter: Scatter, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places in the atlas of the images that a level shows, and left and top of each, (n, 2) int32, by
    top.
    """
    who, left, top = scatter.shown(level)
    order = np.argsort(top, kind="stable")
    return who[order], np.stack([left[order], top[order]], axis=1)


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
