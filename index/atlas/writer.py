"""Writes an atlas: coordinates, grids, scatter and tiles, and last its manifest (atlas.py reads them)."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from ...common.errors import DerivedError, StoreDamagedError, UsageError
from ...common.progress import SILENT, Progress
from ..format.parquet_writer import table_file, text_settings
from ..format.sealed import sealed
from ..projection.grid import assigned_grid, nearest_grid
from ..storage.folder import Folder
from ..storage.hashed_file import PartRecord
from .atlas import (
    COORDINATES,
    GRID,
    SCATTER,
    VERSION,
    assigned_cells,
    atlas_path,
    check_name,
    numbers,
    read_manifest,
)
from .tile_build import Draw, draw_here, make_tiles, remove_other_tiles
from .tile_drawing import Thumb
from .tiles import packs_of


def write_atlas(
    folder: Folder,
    name: str,
    images: np.ndarray,
    coordinates: np.ndarray,
    *,
    side: int | None = None,
    settings: dict[str, Any] | None = None,
    quality: dict[str, Any] | None = None,
    store: str = "",
    thumb: Thumb | None = None,
    pictures: str | None = None,
    shown: np.ndarray | None = None,
    beside: Sequence[PartRecord] = (),
    draw_all: Draw | None = None,
    threads: int = 1,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Write `atlas/<name>/`, replacing what was there; gives its manifest.

    images: (n,) int64 ids; coordinates: (n, 2) float32, finite. side: cells along each side of the grid; by default
    about n / 4 cells, at most 100 x 100. settings, quality: kept in the manifest. store: the hash of the store's
    manifest. thumb: for the tiles; without it none are made. pictures: names what `thumb` gives, where the store's hash
    alone does not. shown: (side, side) int64, the image that each cell of the nearest grid shows, in place of the one
    nearest its centre. beside: further files that the atlas speaks of. draw_all: who draws
    the tiles; by default `threads` threads.
    raises: UsageError for a bad name or side.
    """
    _check(images, coordinates)
    name = check_name(name)
    side = min(100, max(1, round(float(np.sqrt(len(images) / 4))))) if side is None else side
    if side < 1:
        raise UsageError(f"A grid of {side} cells a side: give at least 1.")
    order = np.argsort(images, kind="stable")
    images, coordinates = images[order], coordinates[order]
    with progress.stage("arranging the grid", None, "images"):
        points, cells = _points(images, coordinates, threads), _grid(images, coordinates, side, shown)
    manifest: dict[str, Any] = {
        "version": VERSION,
        "store": store,
        "name": name,
        "images": len(images),
        "side": side,
        "settings": settings or {},
        "quality": quality or {},
    }
    before = _facts_before(folder, name)
    files: list[PartRecord] = []
    tables = {"coordinates": points, "grid": cells}
    if thumb is not None and len(images):
        own = np.stack([numbers(points, "row"), numbers(points, "column")], axis=1)
        nearest = numbers(cells, "image_id").reshape(side, side)
        manifest["tiles"], files, scatter = make_tiles(
            folder,
            atlas_path(name, ""),
            {"nearest": nearest, "assigned": assigned_cells(images, own)},
            (images, coordinates),
            thumb,
            store=pictures or store,
            known={path: PartRecord(**record) for path, record in before.get("files", {}).items()},
            draw_all=draw_all or draw_here(folder, thumb, threads),
            progress=progress,
        )
        tables["scatter"] = pa.table([images, scatter.x, scatter.y, scatter.first], schema=SCATTER)
    # Only now, for the tiles take long and have names of their own: until then the atlas before is there.
    folder.remove(atlas_path(name, "atlas.json"))
    files += [_write(folder, atlas_path(name, f"{table}.parquet"), rows) for table, rows in tables.items()]
    manifest["files"] = {record.path: asdict(record) for record in [*files, *beside]}
    folder.publish(atlas_path(name, "atlas.json"), sealed(manifest))
    _remove_others(folder, name, manifest, before)
    return manifest


def _facts_before(folder: Folder, name: str) -> dict[str, Any]:
    """Return the manifest of the atlas as it is; nothing where there is none, or one of another version."""
    try:
        return read_manifest(folder, name)
    except (DerivedError, StoreDamagedError):
        return {}


def _remove_others(folder: Folder, name: str, now: dict[str, Any], before: dict[str, Any]) -> None:
    """Remove what the atlas does not need; in a bucket a reader of the one before needs its tiles for a little while
    longer.
    """
    if "tiles" not in now:
        folder.remove(atlas_path(name, "scatter.parquet"))
    needed = [now] if folder.is_local else [now, before]
    remove_other_tiles(
        folder,
        atlas_path(name, ""),
        {key for one in needed if one.get("tiles") for key in packs_of(one["tiles"])},
    )


def _points(images: np.ndarray, coordinates: np.ndarray, threads: int) -> pa.Table:
    rows, columns = assigned_grid(coordinates, threads=threads)
    x, y = coordinates.T.astype(np.float32)
    return pa.table([images, x, y, rows, columns], schema=COORDINATES)


def _grid(images: np.ndarray, coordinates: np.ndarray, side: int, shown: np.ndarray | None) -> pa.Table:
    found = nearest_grid(coordinates, side)
    ids = np.full(side * side, -1, np.int64)
    filled = found.rows.ravel() >= 0
    ids[filled] = images[found.rows.ravel()[filled]] if shown is None else shown.ravel()[filled]
    row, column = np.divmod(np.arange(side * side, dtype=np.int32), np.int32(side))
    return pa.table([row, column, ids, found.density.ravel()], schema=GRID)


def _write(folder: Folder, path: str, table: pa.Table) -> PartRecord:
    with table_file(folder, path, table.schema, text_settings()) as file:
        file.write(table)
    return file.record


def _check(images: np.ndarray, coordinates: np.ndarray) -> None:
    if coordinates.shape != (len(images), 2):
        raise UsageError(
            f"{len(images)} images need coordinates of shape ({len(images)}, 2), not {coordinates.shape}."
        )
    if not np.isfinite(coordinates).all():
        raise UsageError("The coordinates of an atlas must be finite.")
