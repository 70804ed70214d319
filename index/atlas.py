"""An atlas on disk: `atlas/<name>/` with the coordinates, two grids, their tiles and a manifest that is written last.

`coordinates.parquet`: image_id, x, y (the map), row, column (the image's own cell in a grid that holds all images).
`grid.parquet`: row, column, image_id (of the image nearest the cell's centre), images (that lie in the cell).
`tiles-<digest>/`: both grids as deep-zoom images (tiles.py).
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import NotFoundError, StoreDamagedError, StoreError, StoreNotFoundError, UsageError
from ..common.progress import SILENT, Progress
from .atlas_tiles import make_tiles, remove_other_tiles
from .files import Folder, MissingFileError
from .grid import assigned_grid, nearest_cells, nearest_grid
from .manifest import PartRecord
from .parquet_files import table_file, text_settings
from .tiles import Tiles

VERSION = 1
COORDINATES = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("column", pa.int32(), nullable=False),
    ]
)
GRID = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("column", pa.int32(), nullable=False),
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("images", pa.int64(), nullable=False),
    ]
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Atlas:
    """A map of the dataset.

    images: (n,) int64 ids, ascending. coordinates: (n, 2) float32. cells: (n, 2) int32, an image's own row, column.
    grid: (side, side) int64 image ids, -1 for none. density: (side, side) int64 images. manifest: as on disk.
    tiles: of both grids; None where they were not made.
    """

    name: str
    images: np.ndarray
    coordinates: np.ndarray
    cells: np.ndarray
    grid: np.ndarray
    density: np.ndarray
    manifest: dict[str, Any]
    tiles: Tiles | None = None

    @cached_property
    def assigned(self) -> np.ndarray:
        """(rows, columns) int64 image ids, -1 for none: a cell of its own for each image."""
        return _assigned(self.images, self.cells)

    def place(self, image_id: int) -> int:
        """The image's row in `images`. Raises NotFoundError for one that is not on the map."""
        row = int(np.searchsorted(self.images, image_id))
        if row == len(self.images) or self.images[row] != image_id:
            raise NotFoundError(
                f"image {image_id} is not on the map: it has no feature, or is none of the store's"
            )
        return row

    def cell(self, image_id: int, grid: str) -> tuple[int, int]:
        """(row, column) of the cell that an image lies in. Raises NotFoundError."""
        rows, columns = self.cells.T if grid == "assigned" else self._nearest
        place = self.place(image_id)
        return int(rows[place]), int(columns[place])

    @cached_property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        return nearest_cells(self.coordinates, len(self.grid))

    @staticmethod
    def open(folder: Folder, name: str, *, store: str | None = None) -> "Atlas":
        """store: the hash of the store's manifest, if the atlas must belong to it.

        raises: StoreNotFoundError naming the atlases there are; StoreError for one of another sweep or format;
        StoreDamagedError for a file that is missing or cannot be read.
        """
        manifest = _read_manifest(folder, name, store)
        try:
            with folder.open(_path(name, "coordinates.parquet")) as file:
                points = pq.read_table(file)
            with folder.open(_path(name, "grid.parquet")) as file:
                cells = pq.read_table(file)
        except (MissingFileError, pa.ArrowInvalid) as error:
            raise StoreDamagedError(
                f"Atlas {name!r} in {folder.url} is damaged ({error}); make it again."
            ) from error
        side = int(manifest["side"])
        shape = (side, side)
        return Atlas(
            name,
            _numbers(points, "image_id"),
            np.stack([_numbers(points, "x"), _numbers(points, "y")], axis=1),
            np.stack([_numbers(points, "row"), _numbers(points, "column")], axis=1),
            _numbers(cells, "image_id").reshape(shape),
            _numbers(cells, "images").reshape(shape),
            manifest,
            Tiles(folder, _path(name, ""), manifest["tiles"]) if manifest.get("tiles") else None,
        )


def list_atlases(folder: Folder) -> list[str]:
    """The names of the finished atlases."""
    root = folder.local_path("atlas")
    if root is not None:  # a walk could meet a folder of tiles that is being removed
        return sorted(path.parent.name for path in root.glob("*/atlas.json"))
    return [name.split("/")[1] for name in folder.list("atlas/") if name.endswith("/atlas.json")]


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
    thumb: Callable[[int], bytes | None] | None = None,
    threads: int = 1,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Writes `atlas/<name>/`, replacing what was there; gives its manifest.

    images: (n,) int64 ids; coordinates: (n, 2) float32, finite. side: cells along each side of the grid; by default
    about n / 4 cells, at most 100 x 100. settings, quality: kept in the manifest. thumb: from an image_id to its small
    JPEG, for the tiles; without it none are made. store: the hash of the store's manifest.
    raises: UsageError for a bad name or side.
    """
    _check(images, coordinates)
    name = check_name(name)
    side = min(100, max(1, round(float(np.sqrt(len(images) / 4))))) if side is None else side
    if side < 1:
        raise UsageError(f"A grid of {side} cells a side: give at least 1.")
    order = np.argsort(images, kind="stable")
    images, coordinates = images[order], coordinates[order]
    points, cells = _points(images, coordinates), _grid(images, coordinates, side)
    manifest: dict[str, Any] = {
        "version": VERSION,
        "store": store,
        "name": name,
        "images": len(images),
        "side": side,
        "settings": settings or {},
        "quality": quality or {},
    }
    files: list[PartRecord] = []
    if thumb is not None and len(images):
        own = np.stack([_numbers(points, "row"), _numbers(points, "column")], axis=1)
        nearest = _numbers(cells, "image_id").reshape(side, side)
        grids = {"nearest": nearest, "assigned": _assigned(images, own)}
        manifest["tiles"], files = make_tiles(
            folder, _path(name, ""), grids, thumb, store=store, threads=threads, progress=progress
        )
    # Only now, for the tiles take long and are in a folder of their own: until then the atlas before is there.
    kept = set() if folder.is_local else {_tiles_folder(folder, name)}
    folder.remove(_path(name, "atlas.json"))
    files.append(_write(folder, _path(name, "coordinates.parquet"), points))
    files.append(_write(folder, _path(name, "grid.parquet"), cells))
    manifest["files"] = {record.path: asdict(record) for record in files}
    folder.publish(_path(name, "atlas.json"), json.dumps(manifest, indent=1).encode())
    remove_other_tiles(folder, _path(name, ""), kept | {_tiles_folder(folder, name)})
    return manifest


def _tiles_folder(folder: Folder, name: str) -> str:
    """The folder of the tiles of the atlas as it is; in a bucket who reads it needs it for a little while longer."""
    try:
        return str(json.loads(folder.read(_path(name, "atlas.json")))["tiles"]["folder"])
    except (MissingFileError, ValueError, KeyError, TypeError):
        return ""


def _assigned(images: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(rows, columns) int64 image ids, -1 for none. cells: (n, 2) row and column of each image."""
    shape = tuple(cells.max(axis=0) + 1) if len(images) else (0, 0)
    found = np.full(shape, -1, np.int64)
    found[cells[:, 0], cells[:, 1]] = images
    return found


def _points(images: np.ndarray, coordinates: np.ndarray) -> pa.Table:
    rows, columns = assigned_grid(coordinates)
    x, y = coordinates.T.astype(np.float32)
    return pa.table([images, x, y, rows, columns], schema=COORDINATES)


def _grid(images: np.ndarray, coordinates: np.ndarray, side: int) -> pa.Table:
    found = nearest_grid(coordinates, side)
    ids = np.full(side * side, -1, np.int64)
    filled = found.rows.ravel() >= 0
    ids[filled] = images[found.rows.ravel()[filled]]
    row, column = np.divmod(np.arange(side * side, dtype=np.int32), np.int32(side))
    return pa.table([row, column, ids, found.density.ravel()], schema=GRID)


def _write(folder: Folder, path: str, table: pa.Table) -> PartRecord:
    with table_file(folder, path, table.schema, text_settings()) as file:
        file.write(table)
    return file.record


def check_name(name: str) -> str:
    """The name itself. Raises UsageError where an atlas cannot have it."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for an atlas: use letters, digits, '-' and '_', such as 'umap'."
        )
    return name


def _check(images: np.ndarray, coordinates: np.ndarray) -> None:
    if coordinates.shape != (len(images), 2):
        raise UsageError(
            f"{len(images)} images need coordinates of shape ({len(images)}, 2), not {coordinates.shape}."
        )
    if not np.isfinite(coordinates).all():
        raise UsageError("The coordinates of an atlas must be finite.")


def _read_manifest(folder: Folder, name: str, store: str | None) -> dict[str, Any]:
    known = list_atlases(folder)
    if name not in known:
        have = f"there are {', '.join(known)}" if known else "there is none yet"
        raise StoreNotFoundError(
            f"{folder.url} has no atlas {name!r}; {have}. Make one with `unitscope atlas`."
        )
    try:
        manifest = json.loads(folder.read(_path(name, "atlas.json")))
    except ValueError as error:
        raise StoreDamagedError(
            f"Atlas {name!r} in {folder.url} is damaged ({error}); make it again."
        ) from error
    if manifest.get("version") != VERSION:
        raise StoreError(
            f"Atlas {name!r} has version {manifest.get('version')!r}, not {VERSION}; make it again."
        )
    if store is not None and manifest["store"] != store:
        raise StoreError(f"Atlas {name!r} in {folder.url} was made from another sweep; make it again.")
    return manifest


def _path(name: str, file: str) -> str:
    return f"atlas/{name}/{file}" if file else f"atlas/{name}"


def _numbers(table: pa.Table, column: str) -> np.ndarray:
    return table[column].to_numpy()
