"""An atlas on disk: `atlas/<name>/` with the coordinates, two grids, the scatter, their tiles and a manifest, which is
written last.

`coordinates.parquet`: image_id, x, y (the map), row, column (the image's own cell in a grid that holds all images).
`grid.parquet`: row, column, image_id (of the image nearest the cell's centre), images (that lie in the cell).
`scatter.parquet`: image_id, x, y, level (scatter.py), where there are tiles.
`tiles/`: all views as deep-zoom images (tiles.py).
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ...common.errors import NotFoundError, UsageError
from ..format.derived import Derived, command, not_built, open_derived
from ..format.small_table import read_whole
from ..projection.grid import nearest_cells
from ..storage.damaged import reading
from ..storage.folder import Folder
from .scatter import Scatter
from .tiles import Pyramid, Tiles

VERSION = 2
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
SCATTER = pa.schema(
    [
        pa.field("image_id", pa.int64(), nullable=False),
        pa.field("x", pa.int32(), nullable=False),
        pa.field("y", pa.int32(), nullable=False),
        pa.field("level", pa.int8(), nullable=False),
    ]
)
_AGAIN = "run `unitscope atlas STORE` again"
_CELLS_OF_AN_IMAGE, _FEWEST_CELLS = 64, 1 << 16
"""More cells than these no writer makes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Atlas:
    """A map of the dataset.

    images: (n,) int64 ids, ascending. coordinates: (n, 2) float32. cells: (n, 2) int32, an image's own row, column.
    grid: (side, side) int64 image ids, -1 for none. density: (side, side) int64 images. manifest: as on disk.
    tiles: of all views; scatter: where each image is in the third. None where they were not made.

    >>> from unitscope.index.atlas import Atlas
    >>> from unitscope.index.store import Store
    >>> store = Store.open("store")
    >>> atlas = Atlas.open(store.folder, "umap", store=store.manifest.hash)
    >>> atlas.coordinates.shape, atlas.grid.shape
    ((64, 2), (6, 6))
    """

    name: str
    images: np.ndarray
    coordinates: np.ndarray
    cells: np.ndarray
    grid: np.ndarray
    density: np.ndarray
    manifest: dict[str, Any]
    tiles: Tiles | None = None
    scatter: Scatter | None = None

    @cached_property
    def assigned(self) -> np.ndarray:
        """(rows, columns) int64 image ids, -1 for none: a cell of its own for each image."""
        return assigned_cells(self.images, self.cells)

    def build_command(self, store: str = "STORE") -> str:
        """Return the command that makes it again. store: its URL."""
        return command("atlas", store, "--method", self.manifest["settings"].get("method", self.name))

    def place(self, image_id: int, one: str = "image") -> int:
        """Return the image's row in `images`. Raises NotFoundError for one that is not on the map. one: the word for
        it.
        """
        row = int(np.searchsorted(self.images, image_id))
        if row == len(self.images) or self.images[row] != image_id:
            raise NotFoundError(
                f"{one} {image_id} is not on the map: it has no values to lay it out by, or some are not finite numbers"
            )
        return row

    def cell(self, image_id: int, grid: str) -> tuple[int, int]:
        """Return (row, column) of the cell that an image lies in. Raises NotFoundError."""
        rows, columns = self.cells.T if grid == "assigned" else self._nearest
        place = self.place(image_id)
        return int(rows[place]), int(columns[place])

    @cached_property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        return nearest_cells(self.coordinates, len(self.grid))

    @staticmethod
    def open(folder: Folder, name: str, *, store: str | None = None) -> "Atlas":
        """Open an atlas. store: the hash of the store's manifest, if the atlas must belong to it.

        raises: NotBuiltError naming the atlases there are; OutdatedError for one of another sweep or version;
        StoreDamagedError for a file that is missing or cannot be read.
        """
        with reading(folder.path(atlas_path(name, "")), _AGAIN):
            return Atlas._open(folder, name, read_manifest(folder, name, store))

    @staticmethod
    def _open(folder: Folder, name: str, manifest: dict[str, Any]) -> "Atlas":
        points, cells = (
            read_whole(folder, atlas_path(name, file), schema, manifest, atlas_path(name, "atlas.json"))
            for file, schema in (("coordinates.parquet", COORDINATES), ("grid.parquet", GRID))
        )
        scatter = _read_scatter(folder, name, manifest)
        side = int(manifest["side"])
        if not np.isfinite(numbers(points, "x")).all() or not np.isfinite(numbers(points, "y")).all():
            raise ValueError("its coordinates are not finite numbers")
        _check_cells(numbers(points, "row"), numbers(points, "column"))
        shape = (side, side)
        return Atlas(
            name,
            numbers(points, "image_id"),
            np.stack([numbers(points, "x"), numbers(points, "y")], axis=1),
            np.stack([numbers(points, "row"), numbers(points, "column")], axis=1),
            numbers(cells, "image_id").reshape(shape),
            numbers(cells, "images").reshape(shape),
            manifest,
            Tiles(folder, atlas_path(name, ""), manifest["tiles"]) if manifest.get("tiles") else None,
            scatter,
        )


def list_atlases(folder: Folder) -> list[str]:
    """Return the names of the finished atlases."""
    root = folder.local_path("atlas")
    if root is not None:  # a walk could meet a folder of tiles that is being removed
        return sorted(path.parent.name for path in root.glob("*/atlas.json"))
    return [name.split("/")[1] for name in folder.list("atlas/") if name.endswith("/atlas.json")]


def assigned_cells(images: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return (rows, columns) int64 image ids, -1 for none. cells: (n, 2) row and column of each image."""
    shape = tuple(cells.max(axis=0) + 1) if len(images) else (0, 0)
    found = np.full(shape, -1, np.int64)
    found[cells[:, 0], cells[:, 1]] = images
    return found


def check_name(name: str) -> str:
    """Return the name itself. Raises UsageError where an atlas cannot have it."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a name for an atlas: use letters, digits, '-' and '_', such as 'umap'."
        )
    return name


def read_manifest(folder: Folder, name: str, store: str | None = None) -> dict[str, Any]:
    """Return `atlas/<name>/atlas.json`. Raises NotBuiltError, OutdatedError, StoreDamagedError."""
    kind = Derived(f"atlas {name!r}", atlas_path(name, "atlas.json"), VERSION, _AGAIN)
    known = list_atlases(folder)
    if name not in known:
        raise not_built(folder, kind, f"; there are {', '.join(known)}" if known else "; there is none yet")
    return open_derived(folder, kind, sources={"store": store}).content


def _read_scatter(folder: Folder, name: str, manifest: dict[str, Any]) -> Scatter | None:
    if not manifest.get("tiles"):
        return None
    facts = manifest["tiles"]["views"]["scatter"]
    said_by = atlas_path(name, "atlas.json")
    rows = read_whole(folder, atlas_path(name, "scatter.parquet"), SCATTER, manifest, said_by)
    pyramid = Pyramid(int(facts["rows"]), int(facts["columns"]), int(facts["cell"]))
    x, y, first = (numbers(rows, column) for column in ("x", "y", "level"))
    return Scatter(x, y, first, pyramid, int(facts["moved"]), float(facts["furthest"]))


def _check_cells(rows: np.ndarray, columns: np.ndarray) -> None:
    """Raise ValueError for cells that no assigned grid of so many images has: it is held in memory."""
    if not len(rows):
        return
    cells = (int(rows.max()) + 1) * (int(columns.max()) + 1)
    if min(rows.min(), columns.min()) < 0 or cells > _CELLS_OF_AN_IMAGE * len(rows) + _FEWEST_CELLS:
        raise ValueError(f"it has {cells:,} cells for {len(rows):,} images")


def atlas_path(name: str, file: str) -> str:
    """Return a file of an atlas, or with "" its folder."""
    return f"atlas/{name}/{file}" if file else f"atlas/{name}"


def numbers(table: pa.Table, column: str) -> np.ndarray:
    """Return a column without nulls."""
    return table[column].to_numpy()
