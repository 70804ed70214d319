"""The tiles of an atlas: which packs its views need, which of them are there already, and which are to go.

A pack lies in `tiles/<key>/`, where the key is of all that it shows (tile_regions.py). So packs of the atlas before and
those that a killed run had finished, are kept if they show the same. Who still reads those of the atlas before never
reads the next one's. What is not needed goes once the next atlas is there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np

from ...common.errors import StoreDamagedError
from ...common.progress import Progress
from ..storage.folder import Folder, MissingFileError
from ..storage.hashed_file import PartRecord
from ..storage.packs import open_offsets, pack_files
from .scatter import Scatter
from .scatter_layout import scatter_of
from .tile_drawing import Thumb, choose_cell, draw
from .tile_packs import VERSION, GridTop, Region, grid_regions, grid_top, scatter_regions
from .tiles import GRIDS, TILE, Pyramid, pack_path

Drawn = tuple[Region, list[PartRecord]]
Draw = Callable[[str, Sequence[Region]], Iterable[Drawn]]
"""Draws regions into an atlas's folder, in any order; gives each with the files of its pack."""
_THUMB = 32
"""Pixels of a thumbnail's sides in the scatter, at most."""


def make_tiles(
    folder: Folder,
    path: str,
    grids: dict[str, np.ndarray],
    points: tuple[np.ndarray, np.ndarray],
    thumb: Thumb,
    *,
    store: str,
    known: dict[str, PartRecord],
    draw_all: Draw,
    progress: Progress,
) -> tuple[dict[str, Any], list[PartRecord], Scatter]:
    """Make the tiles of all views that are not there; gives what the manifest says of them, and all their files.

    path: the atlas's folder. grids: by the names of GRIDS, (rows, columns) int64 image ids, -1 for none. points: (n,)
    int64 ids and (n, 2) coordinates. store: the hash of the manifest that names the thumbnails. known: by their paths,
    the files of the atlas before.
    """
    images, coordinates = points
    cell = choose_cell(images, thumb)
    with progress.stage("placing thumbnails", None, "images"):
        scatter = scatter_of(images, coordinates, min(cell, _THUMB))
    views = {grid: list[Region](grid_regions(grids[grid], cell, store)) for grid in GRIDS}
    views["scatter"] = list(scatter_regions(images, scatter, store))
    pyramids = {grid: _pyramid(grids[grid], cell) for grid in GRIDS} | {"scatter": scatter.pyramid}
    tops: dict[str, GridTop | None] = {
        grid: grid_top(pyramids[grid], [region.key for region in views[grid]]) for grid in GRIDS
    }
    records: dict[str, list[PartRecord]] = {}
    regions = {region.key: region for view in views.values() for region in view}
    with progress.stage("tiles", sum(region.images for region in regions.values()), "images") as stage:
        for region, files in _made(folder, path, list(regions.values()), known, draw_all):
            records[region.key] = files
            stage.advance(region.images)
        for top in filter(None, tops.values()):
            records[top.key] = kept(folder, path, top, known) or draw(folder, path, top, thumb)
    facts: dict[str, Any] = {"folder": "tiles", "version": VERSION, "tile": TILE, "views": {}}
    for name, view in views.items():
        pyramid, keys = pyramids[name], [region.key for region in view]
        count = pyramid.regions[0] * pyramid.regions[1]
        top = tops.get(name)
        facts["views"][name] = {
            "rows": pyramid.rows,
            "columns": pyramid.columns,
            "cell": pyramid.cell,
            "regions": keys[:count],
            "top": [top.key] if top else keys[count:],
        }
    facts["views"]["scatter"] |= {"moved": scatter.moved, "furthest": round(scatter.furthest, 1)}
    return facts, [record for key in sorted(records) for record in records[key]], scatter


def _pyramid(cells: np.ndarray, cell: int) -> Pyramid:
    rows, columns = cells.shape
    return Pyramid(rows, columns, cell)


def _made(
    folder: Folder, path: str, regions: list[Region], known: dict[str, PartRecord], draw_all: Draw
) -> Iterator[Drawn]:
    """Yield all regions, those first that need not be drawn."""
    missing: list[Region] = []
    for region in regions:
        files = kept(folder, path, region, known)
        if files:
            yield region, files
        else:
            missing.append(region)
    yield from draw_all(path, missing)


def kept(folder: Folder, path: str, region: Region, known: dict[str, PartRecord]) -> list[PartRecord]:
    """Return the files of a region's pack if it is there whole and as `known` has it; else none."""
    table = pack_path(path, region.key)
    last = region.levels[-1]
    rows = last.first + last.columns * last.rows
    try:
        offsets = open_offsets(folder, table, 0)
        found = [
            PartRecord(file, rows, folder.size(file), folder.sha256(file)) for file in pack_files(table, 0)
        ]
    except (MissingFileError, StoreDamagedError):
        return []
    ends = offsets["offset"].fill_null(found[0].bytes + 1).to_numpy() + offsets["length"].to_numpy(False)
    whole = offsets.num_rows == rows and int(ends.max()) == found[0].bytes
    return found if whole and all(known.get(file.path, file) == file for file in found) else []


def draw_here(folder: Folder, thumb: Thumb, threads: int) -> Draw:
    """Draw in threads of this process."""

    def draw_all(path: str, regions: Sequence[Region]) -> Iterator[Drawn]:
        pool = ThreadPoolExecutor(threads)
        try:
            waiting = {pool.submit(draw, folder, path, region, thumb): region for region in regions}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    return draw_all


def remove_other_tiles(folder: Folder, path: str, keys: set[str]) -> None:
    """Pack of atlases before, and what killed runs left, but for `keys`."""
    stay = {pack_path(path, key) for key in keys}
    found = {name.rsplit("/", 1)[0] for name in folder.list(f"{path}/tiles")}
    for table in sorted(found - stay):
        folder.remove_tree(table)
