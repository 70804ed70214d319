"""The tiles of an atlas: `tiles-<digest>/` with a pack for each of its grids.

The digest is of what the tiles are made from, so that who still reads those of the atlas before never reads the next
one's, and the same atlas made again keeps its tiles' names.
"""

import hashlib
import json
from typing import Any

import numpy as np
from PIL import __version__ as pillow
from PIL import features

from ..common.progress import Progress
from .files import Folder
from .manifest import PartRecord
from .tile_writer import CELLS, GROUND, QUALITY, Thumb, choose_cell, write_tiles
from .tiles import GRIDS, TILE

VERSION = 1
"""Of the tiles' format and of how they are drawn."""


def make_tiles(
    folder: Folder,
    path: str,
    grids: dict[str, np.ndarray],
    thumb: Thumb,
    *,
    store: str,
    threads: int,
    progress: Progress,
) -> tuple[dict[str, Any], list[PartRecord]]:
    """Writes the tiles of both grids; gives what the atlas's manifest says of them, and of their files.

    path: the atlas's folder. grids: by the names of GRIDS, (rows, columns) int64 image ids, -1 for none. store: the
    hash of the manifest that names the thumbnails.
    """
    digest = _digest(grids, store)
    images = grids["assigned"]
    cell = choose_cell(images[images >= 0], thumb)
    records: list[PartRecord] = []
    with progress.stage("tiles", sum(int((cells >= 0).sum()) for cells in grids.values()), "images") as stage:
        for number, grid in enumerate(GRIDS):
            records += write_tiles(
                folder,
                f"{path}/tiles-{digest}",
                number,
                grids[grid],
                thumb,
                cell=cell,
                threads=threads,
                stage=stage,
            )
    facts = {
        "folder": f"tiles-{digest}",
        "version": VERSION,
        "tile": TILE,
        "cell": cell,
        "grids": {grid: list(grids[grid].shape) for grid in GRIDS},
    }
    return facts, records


def _digest(grids: dict[str, np.ndarray], store: str) -> str:
    """Of all that decides a byte of the tiles: what the cells show, the thumbnails, the encoder and its settings."""
    encoder = (pillow, str(features.version("jpg")), VERSION, TILE, GROUND, QUALITY, CELLS)
    digest = hashlib.sha256(json.dumps([store, *encoder]).encode())
    for grid in GRIDS:
        digest.update(json.dumps(grids[grid].shape).encode() + grids[grid].astype("<i8").tobytes())
    return digest.hexdigest()[:12]


def remove_other_tiles(folder: Folder, path: str, kept: set[str]) -> None:
    """Those of atlases before, and what killed runs left. kept: the names of the folders of tiles that stay."""
    found = {name.removeprefix(f"{path}/").split("/")[0] for name in folder.list(f"{path}/tiles-")}
    for one in sorted(found - kept):
        folder.remove_tree(f"{path}/{one}")
