"""A grid of images as a deep-zoom image: its levels, and the reader of its tiles.

The deepest level shows every cell in its full size; each level above it halves the one below, to level 0, which is one
tile. All tiles of a grid are in one pack (packs.py), level after level from level 0, each from left to right and top to
bottom.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..common.errors import NotFoundError, StoreDamagedError
from .files import Folder, MissingFileError
from .mapped_pack import MappedPack
from .packs import Packs

TILE = 256
"""Pixels of a tile's sides; those at the right and lower edge may be smaller."""
GRIDS = ("nearest", "assigned")
"""`nearest`: one image for each cell of the map; `assigned`: a cell for each image. The place is the pack's number."""


@dataclass(frozen=True)
class Level:
    """One size of the whole. width, height: pixels. columns, rows: tiles. first: the pack's row of its first tile."""

    width: int
    height: int
    columns: int
    rows: int
    first: int


@dataclass(frozen=True)
class Pyramid:
    """The levels of a grid of rows x columns cells, each `cell` pixels wide and high."""

    rows: int
    columns: int
    cell: int

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """From level 0, the whole in one tile, to the deepest."""
        sizes = [(self.columns * self.cell, self.rows * self.cell)]
        while max(sizes[-1]) > TILE:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        levels: list[Level] = []
        first = 0
        for width, height in reversed(sizes):
            level = Level(width, height, -(-width // TILE), -(-height // TILE), first)
            levels.append(level)
            first += level.columns * level.rows
        return tuple(levels)

    @property
    def tiles(self) -> int:
        """Of all levels."""
        last = self.levels[-1]
        return last.first + last.columns * last.rows


class Tiles:
    """The tiles of an atlas; any threads may share it. Those of a local store are mapped, so they can be read for as
    long as this is held, also once the atlas has been made again.

    path: the atlas's folder within the store. facts: `tiles` of its manifest. Raises StoreDamagedError.
    """

    def __init__(self, folder: Folder, path: str, facts: dict[str, Any]) -> None:
        table = f"{path}/{facts['folder']}"
        self._packs = Packs(folder, table)
        self._mapped: dict[str, MappedPack] = {}
        if folder.is_local:
            self._mapped = {name: MappedPack(folder, table, GRIDS.index(name)) for name in facts["grids"]}
        self.pyramids: dict[str, Pyramid] = {
            name: Pyramid(int(rows), int(columns), int(facts["cell"]))
            for name, (rows, columns) in facts["grids"].items()
        }

    def get(self, grid: str, level: int, column: int, row: int) -> bytes:
        """The JPEG of a tile. Raises NotFoundError for a tile that is none, StoreDamagedError for one that is lost."""
        found = self.pyramids[grid].levels
        if not 0 <= level < len(found):
            raise NotFoundError(f"no level {level}: the {grid} grid has levels 0 to {len(found) - 1}")
        one = found[level]
        if not (0 <= column < one.columns and 0 <= row < one.rows):
            raise NotFoundError(
                f"no tile {column}_{row}: level {level} of the {grid} grid has columns 0 to {one.columns - 1} and rows "
                f"0 to {one.rows - 1}"
            )
        place = one.first + row * one.columns + column
        try:
            if grid in self._mapped:
                jpeg = self._mapped[grid].get(place)
            else:
                jpeg = self._packs.get(GRIDS.index(grid), place)
        except MissingFileError as error:
            raise StoreDamagedError(f"The tiles of the atlas are gone ({error}); make it again.") from error
        if jpeg is None:
            raise StoreDamagedError(f"Tile {column}_{row} of level {level} is missing; make the atlas again.")
        return jpeg
