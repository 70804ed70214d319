"""What is in each pack of tiles: a view cut into regions, each with all that decides a byte of it, and named by that.

So the same region of the same map has the same name whenever it is made, by whomever, and need not be drawn again.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import __version__ as pillow
from PIL import features

from .scatter import Scatter
from .tiles import TILE, Level, Pyramid, levels_of

VERSION = 2
"""Of the tiles' format and of how they are drawn."""
GROUND = 0x60
"""The gray, in all three channels, where no image is; style.css shows the same around the map."""
QUALITY = 85


@dataclass(frozen=True)
class Region:
    """One pack to be drawn. key: of all that it shows. levels: its tiles. images: it shows in its deepest level."""

    key: str
    levels: tuple[Level, ...]
    cell: int
    images: int


@dataclass(frozen=True)
class GridRegion(Region):
    """A piece of a grid. cells: (rows, columns) int64 image ids, -1 for none, of all cells that it shows a part of.

    left, top: pixels of the first cells that are outside.
    """

    cells: np.ndarray
    left: int
    top: int


@dataclass(frozen=True)
class ScatterRegion(Region):
    """A piece of the scatter. ids: (n,) int64. x, y: (n,) int32, of the thumbnails' middles in pixels of the deepest
    level, from the region's corner. first: (n,) int8, the place in `levels` from which an image is shown.
    """

    ids: np.ndarray
    x: np.ndarray
    y: np.ndarray
    first: np.ndarray


@dataclass(frozen=True)
class GridTop(Region):
    """What is above the regions of a grid, made from their topmost tiles. parts: (rows, columns) of their keys."""

    parts: tuple[tuple[str, ...], ...]


def grid_regions(cells: np.ndarray, cell: int, store: str) -> Iterator[GridRegion]:
    """Return row by row. cells: (rows, columns) int64 image ids, -1 for none. store: names the thumbnails."""
    rows, columns = cells.shape
    pyramid = Pyramid(rows, columns, cell)
    for row, column in np.ndindex(pyramid.regions):
        left, top, width, height = pyramid.window(row, column)
        shown = cells[top // cell : -(-(top + height) // cell), left // cell : -(-(left + width) // cell)]
        shape = {"width": width, "height": height, "left": left % cell, "top": top % cell, "cell": cell}
        yield GridRegion(
            _key(store, "grid", shape | {"depth": pyramid.depth}, shown),
            levels_of(width, height, pyramid.depth),
            cell,
            int((shown >= 0).sum()),
            shown,
            left % cell,
            top % cell,
        )


def grid_top(pyramid: Pyramid, regions: list[str]) -> GridTop | None:
    """Return the top's pack. regions: their keys, row by row. None where one region is all."""
    if not pyramid.cut:
        return None
    columns = pyramid.regions[1]
    parts = tuple(tuple(regions[row : row + columns]) for row in range(0, len(regions), columns))
    return GridTop(_key("", "top", {"parts": parts}), pyramid.levels[: pyramid.cut], pyramid.cell, 0, parts)


def scatter_regions(images: np.ndarray, scatter: Scatter, store: str) -> Iterator[ScatterRegion]:
    """Return row by row, then the top where there is one. images: (n,) int64 ids, in the order of `scatter`."""
    pyramid = scatter.pyramid
    region, who = _members(scatter)
    bounds = np.searchsorted(region, np.arange(pyramid.regions[0] * pyramid.regions[1] + 1))
    for number, (row, column) in enumerate(np.ndindex(pyramid.regions)):
        left, top, width, height = pyramid.window(row, column)
        chosen = who[bounds[number] : bounds[number + 1]]
        yield _scattered(
            store,
            levels_of(width, height, pyramid.depth),
            pyramid.cell,
            images[chosen],
            scatter.x[chosen] - left,
            scatter.y[chosen] - top,
            scatter.first[chosen] - pyramid.cut,
        )
    if pyramid.cut:
        chosen = np.flatnonzero(scatter.first < pyramid.cut)
        yield _scattered(
            store,
            pyramid.levels[: pyramid.cut],
            pyramid.cell,
            images[chosen],
            scatter.x[chosen] >> pyramid.depth,
            scatter.y[chosen] >> pyramid.depth,
            scatter.first[chosen],
        )


def _members(scatter: Scatter) -> tuple[np.ndarray, np.ndarray]:
    """Return regions, ascending, and for each an image of which it shows a part in one of its levels."""
    pyramid, found = scatter.pyramid, list[np.ndarray]()
    count = len(scatter.x)
    for level in range(pyramid.cut, len(pyramid.levels)):
        side = pyramid.region * TILE >> len(pyramid.levels) - 1 - level
        who, left, top = scatter.shown(level)
        for down in (0, pyramid.cell - 1):
            for right in (0, pyramid.cell - 1):
                region = (top + down) // side * pyramid.regions[1] + (left + right) // side
                found.append(region * count + who)
        found = [np.unique(np.concatenate(found))]
    return np.divmod(found[0], max(1, count))


def _scattered(  # noqa: PLR0917 - columns of one table
    store: str,
    levels: tuple[Level, ...],
    cell: int,
    ids: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    first: np.ndarray,
) -> ScatterRegion:
    x, y = x.astype(np.int32), y.astype(np.int32)
    first = np.maximum(first, 0).astype(np.int8)
    shape = {"width": levels[-1].width, "height": levels[-1].height, "depth": len(levels), "cell": cell}
    key = _key(store if len(ids) else "", "scatter", shape, ids, x, y, first)
    return ScatterRegion(key, levels, cell, len(ids), ids, x, y, first)


def _key(store: str, kind: str, shape: dict[str, Any], *arrays: np.ndarray) -> str:
    encoder = (pillow, str(features.version("jpg")), VERSION, TILE, GROUND, QUALITY)
    digest = hashlib.sha256(json.dumps([store, kind, shape, encoder]).encode())
    for array in arrays:
        digest.update(json.dumps([array.dtype.str, array.shape]).encode() + array.tobytes())
    return digest.hexdigest()[:16]
