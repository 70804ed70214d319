"""The views of an atlas as deep-zoom images: their levels, how these are cut into packs, and the reader of the tiles.

The deepest level shows a view in its full size; each level above it is half as wide and high, to level 0, which is one
tile. A *region* is a square of the deepest level and what is above it up to the one tile that shows all of the square;
it is one pack (packs.py), its levels one after the other from the smallest, each from left to right and top to bottom.
What is above the regions' single tiles is a pack too, the top. So a view of any size is at most 65 packs, and each can
be drawn, kept or drawn again by itself.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...common.errors import NotFoundError, StoreDamagedError
from ..storage.folder import Folder, MissingFileError
from ..storage.open_pack import OpenPack
from ..storage.packs import Packs
from ..storage.stored_names import check_stored_name

TILE = 256
"""Pixels of a tile's sides; those at the right and lower edge may be smaller."""
GRIDS = ("nearest", "assigned")
"""`nearest`: one image for each cell of the map; `assigned`: a cell for each image."""
VIEWS = (*GRIDS, "scatter")
"""`scatter`: every image at its coordinates; the deeper the level, the more of them."""
_REGION = 8
"""Tiles of a region's sides, at least."""
_REGIONS = 64
_LARGEST_CELL, _MOST_CELLS = 1 << 12, 1 << 24


@dataclass(frozen=True)
class Level:
    """One size of the whole. width, height: pixels. columns, rows: tiles. first: the place of its first tile."""

    width: int
    height: int
    columns: int
    rows: int
    first: int


def levels_of(width: int, height: int, count: int | None = None) -> tuple[Level, ...]:
    """Return those from the smallest to `width` x `height` pixels; `count` of them, by default down to one tile."""
    sizes = [(width, height)]
    while max(sizes[-1]) > TILE if count is None else len(sizes) < count:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    levels: list[Level] = []
    first = 0
    for wide, high in reversed(sizes):
        levels.append(Level(wide, high, -(-wide // TILE), -(-high // TILE), first))
        first += levels[-1].columns * levels[-1].rows
    return tuple(levels)


@dataclass(frozen=True)
class Pyramid:
    """The levels of a view of rows x columns cells, each `cell` pixels wide and high in the deepest level."""

    rows: int
    columns: int
    cell: int

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """From level 0, the whole in one tile, to the deepest."""
        return levels_of(self.columns * self.cell, self.rows * self.cell)

    @cached_property
    def region(self) -> int:
        """Tiles of a region's sides in the deepest level: a power of two."""
        side, deepest = _REGION, self.levels[-1]
        while -(-deepest.columns // side) * -(-deepest.rows // side) > _REGIONS:
            side *= 2
        return side

    @cached_property
    def depth(self) -> int:
        """Levels of a region."""
        return min(len(self.levels), self.region.bit_length())

    @property
    def cut(self) -> int:
        """The level in which a region is one tile; the top has those above it."""
        return len(self.levels) - self.depth

    @cached_property
    def regions(self) -> tuple[int, int]:
        """Rows and columns of regions."""
        deepest = self.levels[-1]
        return -(-deepest.rows // self.region), -(-deepest.columns // self.region)

    def window(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Return a region's left, top, width and height in pixels of the deepest level."""
        side, deepest = self.region * TILE, self.levels[-1]
        left, top = column * side, row * side
        return left, top, min(side, deepest.width - left), min(side, deepest.height - top)

    def place(self, level: int, column: int, row: int) -> tuple[int, int]:
        """Return where a tile is: the number of its region, row by row, or -1 for the top; and its row in that pack."""
        one = self.levels[level]
        if level < self.cut:
            return -1, one.first + row * one.columns + column
        side = self.region >> len(self.levels) - 1 - level
        region_row, region_column = row // side, column // side
        *_, width, height = self.window(region_row, region_column)
        within = levels_of(width, height, self.depth)[level - self.cut]
        place = within.first + row % side * within.columns + column % side
        return region_row * self.regions[1] + region_column, place


class Tiles:
    """The tiles of an atlas; any threads may share it. Those of a local store are held open, so they can be read for as
    long as this is held, also once the atlas has been made again.

    path: the atlas's folder within the store. facts: `tiles` of its manifest. Raises StoreDamagedError.
    """

    def __init__(self, folder: Folder, path: str, facts: dict[str, Any]) -> None:
        views: dict[str, dict[str, Any]] = facts["views"]
        self.pyramids: dict[str, Pyramid] = {
            name: Pyramid(int(view["rows"]), int(view["columns"]), int(view["cell"]))
            for name, view in views.items()
        }
        self._keys: dict[str, list[str]] = {
            name: [*view["regions"], *view["top"]] for name, view in views.items()
        }
        for name, keys in self._keys.items():
            _check(self.pyramids[name], keys)
        self._packs: dict[str, OpenPack | Packs] = {}
        for key in packs_of(facts):
            check_stored_name(key, folder.path(path))
            table = pack_path(path, key)
            self._packs[key] = OpenPack(folder, table, 0) if folder.is_local else Packs(folder, table)

    def get(self, view: str, level: int, column: int, row: int) -> bytes:
        """Return the JPEG of a tile. Raises NotFoundError for a tile that is none, StoreDamagedError for one that is
        lost.
        """
        pyramid = self.pyramids[view]
        if not 0 <= level < len(pyramid.levels):
            raise NotFoundError(f"no level {level}: {view} has levels 0 to {len(pyramid.levels) - 1}")
        one = pyramid.levels[level]
        if not (0 <= column < one.columns and 0 <= row < one.rows):
            raise NotFoundError(
                f"no tile {column}_{row}: level {level} of {view} has columns 0 to {one.columns - 1} and rows "
                f"0 to {one.rows - 1}"
            )
        region, place = pyramid.place(level, column, row)
        pack = self._packs[self._keys[view][region]]
        try:
            jpeg = pack.get(place) if isinstance(pack, OpenPack) else pack.get(0, place)
        except MissingFileError as error:
            raise StoreDamagedError(f"The tiles of the atlas are gone ({error}); make it again.") from error
        if jpeg is None:
            raise StoreDamagedError(f"Tile {column}_{row} of level {level} is missing; make the atlas again.")
        return jpeg


def _check(pyramid: Pyramid, keys: list[str]) -> None:
    """Raise ValueError for a shape that no atlas has, or fewer packs than it needs."""
    if min(pyramid.rows, pyramid.columns) < 0 or not 1 <= pyramid.cell <= _LARGEST_CELL:
        raise ValueError(f"{pyramid} has not the shape of a view")
    if max(pyramid.rows, pyramid.columns) > _MOST_CELLS:
        raise ValueError(f"{pyramid} is larger than any view")
    needed = pyramid.regions[0] * pyramid.regions[1] + (pyramid.cut > 0)
    if len(keys) < needed:
        raise ValueError(f"it has {len(keys)} packs of tiles, and needs {needed}")


def packs_of(facts: dict[str, Any]) -> set[str]:
    """Return the keys of all packs. facts: `tiles` of an atlas's manifest."""
    return {key for view in facts["views"].values() for key in (*view["regions"], *view["top"])}


def pack_path(path: str, key: str) -> str:
    """Return the folder of a pack. path: the atlas's folder."""
    return f"{path}/tiles/{key}"
