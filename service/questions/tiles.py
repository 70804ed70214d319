"""The tiles and the cells of an atlas as the API and the atlas page show them."""

import math
from urllib.parse import quote

from ...common.errors import StoreError, StoreNotFoundError, UsageError
from ...index.atlas import Atlas
from ...index.tiles import TILE, Tiles
from ..addresses import address
from ..answers.atlases import (
    CellAtAnswer,
    GridName,
    LevelAnswer,
    PlaceInGrid,
    ShownImage,
    TilesAnswer,
    WhereAnswer,
)
from ..fresh import Version
from ..http.answering import Picture, part_version
from ..pictures import JPEG
from ..registry import ServedStore
from .ask import IMAGE_COLUMNS, check_image, image_facts, said

_SHOWN = (*IMAGE_COLUMNS, "width", "height")
GRIDS: tuple[GridName, ...] = ("nearest", "assigned")


def atlas_of(served: ServedStore, name: str, v: str | None) -> Version[Atlas]:
    """The atlas. Raises StoreNotFoundError, and StoreError where `v` names another version: tiles must not be mixed."""
    found = served.atlas(name)
    if v is not None and v != part_version(found):
        raise StoreError(f"the atlas {name} has been made again since v={v[:64]}: load the page again")
    return found


def tiles(served: ServedStore, found: Version[Atlas], grid: GridName) -> TilesAnswer:
    """How a grid is cut into tiles. Raises StoreNotFoundError for an atlas without tiles."""
    atlas = found.value
    pyramid = _tiles(served, atlas).pyramids[grid]
    deepest = pyramid.levels[-1]
    levels = [
        LevelAnswer(level=level, width=one.width, height=one.height, columns=one.columns, rows=one.rows)
        for level, one in enumerate(pyramid.levels)
    ]
    return TilesAnswer(
        **said(served),
        atlas=atlas.name,
        grid=grid,
        rows=pyramid.rows,
        columns=pyramid.columns,
        cell=pyramid.cell,
        tile=TILE,
        width=deepest.width,
        height=deepest.height,
        levels=levels,
        address=f"{atlas_address(served, atlas.name)}/tiles/{grid}/{{level}}/{{column}}_{{row}}.jpg"
        f"?v={part_version(found)}",
    )


def tile(served: ServedStore, atlas: Atlas, grid: GridName, level: int, place: tuple[int, int]) -> Picture:
    """The tile in a column and row. Raises NotFoundError, StoreNotFoundError, StoreDamagedError."""
    return _tiles(served, atlas).get(grid, level, *place), JPEG


def cell_at(served: ServedStore, atlas: Atlas, grid: GridName, x: float, y: float) -> CellAtAnswer:
    """What the cell shows that x, y lies in. Raises UsageError outside the grid."""
    cells = atlas.grid if grid == "nearest" else atlas.assigned
    row, column = math.floor(y), math.floor(x)
    if not (0 <= row < cells.shape[0] and 0 <= column < cells.shape[1]):
        raise UsageError(
            f"x={x:g}, y={y:g} is outside the {grid} grid, which has {cells.shape[1]} columns and {cells.shape[0]} rows"
        )
    image_id = int(cells[row, column])
    return CellAtAnswer(
        **said(served),
        atlas=atlas.name,
        grid=grid,
        row=row,
        column=column,
        images=int(atlas.density[row, column]) if grid == "nearest" else int(image_id >= 0),
        image=_image(served, image_id) if image_id >= 0 else None,
    )


def where(served: ServedStore, atlas: Atlas, image_id: int) -> WhereAnswer:
    """Where an image is. Raises NotFoundError for one that is not on the map."""
    check_image(served.store, image_id)
    x, y = atlas.coordinates[atlas.place(image_id)].tolist()
    cells: list[PlaceInGrid] = []
    for grid in GRIDS:
        row, column = atlas.cell(image_id, grid)
        shows = int(atlas.grid[row, column]) if grid == "nearest" else image_id
        cells.append(PlaceInGrid(grid=grid, row=row, column=column, shown=shows))
    return WhereAnswer(**said(served), atlas=atlas.name, image_id=image_id, x=x, y=y, cells=cells)


def atlas_address(served: ServedStore, name: str) -> str:
    """Where the API answers for an atlas."""
    return f"{address(served)}/atlases/{quote(name, safe='')}"


def _image(served: ServedStore, image_id: int) -> ShownImage:
    (row,) = served.store.images_at([image_id], _SHOWN)
    return ShownImage(**image_facts(served, row), width=row["width"], height=row["height"])


def _tiles(served: ServedStore, atlas: Atlas) -> Tiles:
    if atlas.tiles is None:
        method = atlas.manifest["settings"].get("method", atlas.name)
        raise StoreNotFoundError(
            f"the atlas {atlas.name} of {served.name} was made without tiles; `unitscope atlas "
            f"{served.store.folder.url} --method {method}` makes it again with them, and they are picked up "
            "without a restart"
        )
    return atlas.tiles
