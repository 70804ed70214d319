"""Writes the tiles of a grid of thumbnails: one pass over its cells from top to bottom, whatever its size.

What is held is a strip of each level, one tile high, so memory grows with the grid's width only. Equal thumbnails give
equal bytes, for any number of threads.
"""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageOps

from ..common.errors import StoreDamagedError
from ..common.progress import Stage
from .files import Folder
from .manifest import PartRecord
from .packs import PackWriter, pack_writer
from .tiles import TILE, Level, Pyramid

Thumb = Callable[[int], bytes | None]
"""From an image_id to a small JPEG; None where there is none."""

GROUND = 0x60
"""The gray, in all three channels, where no image is; style.css shows the same around the map."""
QUALITY = 85
CELLS = (16, 32, 48, 64, 96)
"""Sizes of a cell in pixels: whole blocks of a JPEG. With colours at full resolution no image tints the next one."""
_SAMPLE = 64
_CHUNK = 32
"""Cells that a thread fills in one go, at least."""


def choose_cell(images: np.ndarray, thumb: Thumb) -> int:
    """The largest cell that half of the thumbnails fill without being enlarged. images: (n,) int64 ids."""
    sample = images[np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).astype(np.int64)]
    sides = [min(_open(jpeg, image).size) for image in sample.tolist() if (jpeg := thumb(image))]
    middle = float(np.median(sides)) if sides else 0.0
    return max((cell for cell in CELLS if cell <= middle), default=CELLS[0])


def write_tiles(
    folder: Folder,
    table: str,
    number: int,
    cells: np.ndarray,
    thumb: Thumb,
    *,
    cell: int,
    threads: int,
    stage: Stage,
) -> list[PartRecord]:
    """Writes pack `number` of `table` with the tiles of a grid.

    cells: (rows, columns) int64, the image_id that each shows, -1 for none. cell: pixels. stage is told the images.
    An image is cut to its middle square. Raises StoreDamagedError for a thumbnail that cannot be decoded.
    """
    rows, columns = cells.shape
    levels = Pyramid(rows, columns, cell).levels
    with pack_writer(folder, table, number) as pack, ThreadPoolExecutor(threads) as pool:
        strips = _strips(_cell_rows(cells, thumb, cell, pool, stage))
        for level in reversed(levels):
            strips = _level(strips, level, pack, pool)
        for _ in strips:
            pass
    return pack.records


def _cell_rows(
    cells: np.ndarray, thumb: Thumb, cell: int, pool: ThreadPoolExecutor, stage: Stage
) -> Iterator[np.ndarray]:
    """Each row of cells as pixels, (cell, columns * cell, 3) uint8."""
    columns = cells.shape[1]
    for row in cells:
        pixels = np.full((cell, columns * cell, 3), GROUND, np.uint8)
        filled = np.flatnonzero(row >= 0)

        def fill(chosen: np.ndarray, row: np.ndarray = row, pixels: np.ndarray = pixels) -> None:
            for column in chosen.tolist():
                image_id = int(row[column])
                jpeg = thumb(image_id)
                if jpeg is not None:
                    pixels[:, column * cell : (column + 1) * cell] = _square(jpeg, image_id, cell)

        list(pool.map(fill, np.array_split(filled, max(1, len(filled) // _CHUNK))))
        stage.advance(len(filled))
        yield pixels


def _strips(rows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same pixels cut into strips one tile high; the last may be lower."""
    held: list[np.ndarray] = []
    height = 0
    for row in rows:
        held.append(row)
        height += len(row)
        while height >= TILE:
            pixels = np.concatenate(held)
            yield pixels[:TILE]
            held, height = [pixels[TILE:]], height - TILE
    if height:
        yield np.concatenate(held)


def _level(
    strips: Iterator[np.ndarray], level: Level, pack: PackWriter, pool: ThreadPoolExecutor
) -> Iterator[np.ndarray]:
    """Packs the tiles of one level; gives the strips of the level above it."""
    waiting: list[np.ndarray] = []
    for row, strip in enumerate(strips):
        tiles = (strip[:, left : left + TILE] for left in range(0, level.width, TILE))
        for column, jpeg in enumerate(pool.map(_jpeg, tiles)):
            pack.put(level.first + row * level.columns + column, jpeg)
        if level.first:
            waiting.append(_half(strip))
        if len(waiting) == 2:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield waiting[0]


def _half(strip: np.ndarray) -> np.ndarray:
    """Each pixel the mean of (at most) 2 x 2."""
    return np.asarray(Image.fromarray(strip).reduce(2))


def _jpeg(tile: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tile)).save(file, "JPEG", quality=QUALITY, subsampling="4:4:4")
    return file.getvalue()


def _square(jpeg: bytes, image_id: int, cell: int) -> np.ndarray:
    """The middle square, (cell, cell, 3) uint8."""
    try:
        image = _open(jpeg, image_id).convert("RGB")
    except OSError as error:
        raise _damaged(image_id, error) from error
    if image.size != (cell, cell):
        image = ImageOps.fit(image, (cell, cell), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _open(jpeg: bytes, image_id: int) -> Image.Image:
    try:
        return Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    except OSError as error:
        raise _damaged(image_id, error) from error


def _damaged(image_id: int, error: OSError) -> StoreDamagedError:
    return StoreDamagedError(
        f"the thumbnail of image {image_id} cannot be decoded ({error}); `unitscope verify` tells more"
    )
