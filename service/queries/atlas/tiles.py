"""The tiles and the cells of an atlas as the API and the atlas page show them."""

import math
from typing import NamedTuple

import numpy as np

from ....common.errors import NotBuiltError, NotFoundError, UsageError
from ....index.atlas.atlas import Atlas
from ....index.atlas.scatter import Scatter
from ....index.atlas.tiles import TILE, Tiles
from ....index.format.derived import command
from ...schemas.atlases import (
    CellAtAnswer,
    GridName,
    LevelAnswer,
    PlaceInGrid,
    TilesAnswer,
    ViewName,
    WhereAnswer,
)
from ...stores.versioned import Picture
from ..pixels import JPEG
from ..stores import provenance_of
from .items import cell_mean, image_answer, sample_answer, unit_answer
from .served_atlas import ServedAtlas

GRIDS: tuple[GridName, ...] = ("nearest", "assigned")


class Spot(NamedTuple):
    """A place of a view. x, y: in cells of its deepest level; level: that is looked at, None for the deepest."""

    x: float
    y: float
    view: ViewName
    level: int | None


class Seen(NamedTuple):
    """What a view shows at a place. level: that is looked at. item: -1 for none; items: how many lie in the cell."""

    row: int
    column: int
    level: int
    item: int
    items: int


class Outline(NamedTuple):
    """Where a view draws what it shows at a place: its middle and its side, in cells of the deepest level."""

    x: float
    y: float
    side: float


def outline(shown: ServedAtlas, spot: Spot) -> Outline:
    """Return where the cell is, or in the scatter the image. Raises as `seen`."""
    atlas, found = shown.atlas, seen(shown, spot)
    if spot.view != "scatter" or atlas.scatter is None:
        return Outline(found.column + 0.5, found.row + 0.5, 1)
    side = 2.0 ** (len(atlas.scatter.pyramid.levels) - 1 - found.level)
    if found.item < 0:
        return Outline(spot.x, spot.y, side)
    cell, place = atlas.scatter.pyramid.cell, atlas.place(found.item)
    return Outline(int(atlas.scatter.x[place]) / cell, int(atlas.scatter.y[place]) / cell, side)


def nearest(shown: ServedAtlas, spot: Spot) -> Spot:
    """Return the place nearest to one where its view shows something; itself where nothing is anywhere. Raises as
    `seen`.
    """
    atlas, found = shown.atlas, seen(shown, spot)
    if found.item >= 0:
        return spot
    if spot.view == "scatter" and atlas.scatter is not None:
        cell = atlas.scatter.pyramid.cell
        there = np.flatnonzero(atlas.scatter.first <= found.level)
        x, y = atlas.scatter.x[there] / cell, atlas.scatter.y[there] / cell
        here = spot.x, spot.y
    else:
        row, column = np.nonzero((atlas.grid if spot.view == "nearest" else atlas.assigned) >= 0)
        x, y = column + 0.5, row + 0.5
        here = found.column + 0.5, found.row + 0.5
    if not len(x):
        return spot
    best = np.argmin((x - here[0]) ** 2 + (y - here[1]) ** 2)
    return spot._replace(x=float(x[best]), y=float(y[best]))


def tiles(shown: ServedAtlas, view: ViewName) -> TilesAnswer:
    """Return how a view is cut into tiles. Raises NotBuiltError for an atlas without tiles."""
    atlas = shown.atlas
    pyramid = _tiles(shown).pyramids[view]
    deepest = pyramid.levels[-1]
    levels = [
        LevelAnswer(level=level, width=one.width, height=one.height, columns=one.columns, rows=one.rows)
        for level, one in enumerate(pyramid.levels)
    ]
    scatter = atlas.scatter if view == "scatter" else None
    return TilesAnswer(
        **provenance_of(shown.served),
        atlas=shown.name,
        grid=view,
        rows=pyramid.rows,
        columns=pyramid.columns,
        cell=pyramid.cell,
        tile=TILE,
        width=deepest.width,
        height=deepest.height,
        levels=levels,
        hidden=len(atlas.images) - int((atlas.grid >= 0).sum()) if view == "nearest" else 0,
        moved=scatter.moved if scatter else 0,
        furthest=scatter.furthest if scatter else 0,
        address=f"{shown.address}/tiles/{view}/{{level}}/{{column}}_{{row}}.jpg?v={shown.version}",
    )


class TilePlace(NamedTuple):
    """Which tile of a view."""

    view: ViewName
    level: int
    column: int
    row: int


def tile(shown: ServedAtlas, place: TilePlace) -> Picture:
    """Return a tile. Raises NotFoundError, NotBuiltError, StoreDamagedError."""
    return _tiles(shown).get(*place), JPEG


def at(shown: ServedAtlas, spot: Spot) -> CellAtAnswer:
    """Return the item that a view shows at a place. Raises as `seen`."""
    found = seen(shown, spot)
    there = found.item >= 0
    return CellAtAnswer(
        **provenance_of(shown.served),
        atlas=shown.name,
        kind=shown.kind,
        grid=spot.view,
        row=found.row,
        column=found.column,
        level=found.level,
        items=found.items,
        item=found.item if there else None,
        image=image_answer(shown, found.item) if there else None,
        unit=unit_answer(shown, found.item) if there else None,
        sample=sample_answer(shown, found.item) if there else None,
        mean=cell_mean(shown, found.row, found.column) if spot.view == "nearest" else None,
    )


def seen(shown: ServedAtlas, spot: Spot) -> Seen:
    """Return what a view shows at a place.

    Raises UsageError outside the view, NotFoundError for a level that is none, NotBuiltError for the scatter of an
    atlas without tiles.
    """
    atlas = shown.atlas
    x, y, view, level = spot
    row, column = math.floor(y), math.floor(x)
    rows, columns, levels = _shape(shown, view)
    if not (0 <= row < rows and 0 <= column < columns):
        raise UsageError(
            f"x={x:g}, y={y:g} is outside the {view} view, which has {columns} columns and {rows} rows"
        )
    if level is not None and level >= levels:
        raise NotFoundError(f"no level {level}: the {view} view has levels 0 to {levels - 1}")
    looked = levels - 1 if level is None else level
    if view == "scatter":
        return Seen(row, column, looked, *_scattered(atlas, looked, x, y))
    item = int((atlas.grid if view == "nearest" else atlas.assigned)[row, column])
    items = int(atlas.density[row, column]) if view == "nearest" else int(item >= 0)
    return Seen(row, column, looked, item, items)


def _shape(shown: ServedAtlas, view: ViewName) -> tuple[int, int, int]:
    """Return rows, columns, levels; a grid without tiles has one level."""
    atlas = shown.atlas
    if atlas.tiles is not None or view == "scatter":
        pyramid = _tiles(shown).pyramids[view]
        return pyramid.rows, pyramid.columns, len(pyramid.levels)
    rows, columns = (atlas.grid if view == "nearest" else atlas.assigned).shape
    return rows, columns, 1


def _scattered(atlas: Atlas, level: int, x: float, y: float) -> tuple[int, int]:
    """Return the image that the scatter shows at a place, -1 for none, and how many it shows there."""
    if atlas.scatter is None:
        return -1, 0
    pyramid = atlas.scatter.pyramid
    pixels = pyramid.cell / 2 ** (len(pyramid.levels) - 1 - level)
    found = atlas.scatter.at(level, x * pixels, y * pixels)
    return (-1, 0) if found is None else (int(atlas.images[found]), 1)


def where(shown: ServedAtlas, item: int) -> WhereAnswer:
    """Return where an item is. Raises NotFoundError for one that is not on the map."""
    shown.check_item(item)
    atlas = shown.atlas
    x, y = atlas.coordinates[atlas.place(item, shown.items.one)].tolist()
    cells = places(atlas, item)
    return WhereAnswer(**provenance_of(shown.served), atlas=shown.name, item=item, x=x, y=y, cells=cells)


def places(atlas: Atlas, item: int) -> list[PlaceInGrid]:
    """Return where an item is in each view. Raises NotFoundError for one that is not on the map."""
    place = atlas.place(item)
    cells: list[PlaceInGrid] = []
    for grid in GRIDS:
        row, column = atlas.cell(item, grid)
        shown = int(atlas.grid[row, column]) if grid == "nearest" else item
        middle = {"x": column + 0.5, "y": row + 0.5}
        cells.append(PlaceInGrid(grid=grid, row=row, column=column, shown=shown, level=0, **middle))
    if atlas.scatter is not None:
        cells.append(_place_in_scatter(atlas.scatter, place, item))
    return cells


def _place_in_scatter(scatter: Scatter, place: int, item: int) -> PlaceInGrid:
    cell = scatter.pyramid.cell
    x, y = int(scatter.x[place]) / cell, int(scatter.y[place]) / cell
    first = int(scatter.first[place])
    return PlaceInGrid(grid="scatter", row=int(y), column=int(x), shown=item, x=x, y=y, level=first)


def _tiles(shown: ServedAtlas) -> Tiles:
    atlas = shown.atlas
    if atlas.tiles is None:
        method = str(atlas.manifest["settings"].get("method", atlas.name))
        what = ("--method", method) if shown.layer is None else (f"--{shown.kind}", shown.layer)
        raise NotBuiltError(
            f"the atlas {shown.name} of {shown.served.name} was made without tiles",
            command("atlas", shown.served.store.folder.url, *what),
            "; they are picked up without a restart",
        )
    return atlas.tiles
