"""Draws one pack of tiles: a region of a grid or of the scatter, or the top of a grid.

Of a grid it is one pass over the cells from top to bottom: what is held is a strip of each level, one tile high. Of the
scatter all thumbnails of the region are held, in the size that they have in every level. Equal thumbnails give equal
bytes, whoever draws and in whatever order.
"""

import io
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from PIL import Image, ImageOps

from ...common.errors import StoreDamagedError
from ..storage.folder import Folder
from ..storage.hashed_file import PartRecord
from ..storage.open_pack import OpenPack
from ..storage.packs import PackWriter, pack_writer
from .tile_packs import GROUND, QUALITY, GridRegion, GridTop, Region, ScatterRegion
from .tiles import TILE, Level, pack_path

Thumb = Callable[[int], bytes | None]
"""From an image_id to a small JPEG; None where there is none."""

CELLS = (16, 32, 48, 64, 96)
"""Sizes of a cell in pixels: whole blocks of a JPEG. With colours at full resolution no image tints the next one."""
WIDEST = 40_960
"""Pixels of a grid's sides, about: where there are more cells, they are smaller."""
_SAMPLE = 64


def choose_cell(images: np.ndarray, thumb: Thumb) -> int:
    """Return the largest cell that half of the thumbnails fill without being enlarged, and that `WIDEST` allows.

    images: (n,) int64 ids, each of which gets a cell.
    """
    sample = images[np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).astype(np.int64)]
    sides = [min(_open(jpeg, image).size) for image in sample.tolist() if (jpeg := thumb(image))]
    most = min(float(np.median(sides)) if sides else 0.0, WIDEST / max(1, len(images)) ** 0.5)
    return max((cell for cell in CELLS if cell <= most), default=CELLS[0])


def draw(folder: Folder, path: str, region: Region, thumb: Thumb) -> list[PartRecord]:
    """Write the region's pack into the atlas's folder `path`.

    An image is cut to its middle square. Raises StoreDamagedError for a thumbnail that cannot be decoded.
    """
    with pack_writer(folder, pack_path(path, region.key), 0) as pack:
        match region:
            case GridRegion():
                _halve_up(_strips(_cell_rows(region, thumb)), region.levels, pack)
            case GridTop():
                _halve_up(_halves(_part_rows(folder, path, region)), region.levels, pack)
            case ScatterRegion():
                _scatter(region, thumb, pack)
            case _:
                raise TypeError(f"{type(region).__name__} is not a region that can be drawn")
    return pack.records


def _halve_up(strips: Iterator[np.ndarray], levels: tuple[Level, ...], pack: PackWriter) -> None:
    """Pack the deepest level's strips, and the levels above it as they come about."""
    for level in reversed(levels):
        strips = _level(strips, level, pack)
    for _ in strips:
        pass


def _cell_rows(region: GridRegion, thumb: Thumb) -> Iterator[np.ndarray]:
    """Yield the region's pixels, one row of cells at a time."""
    cell, deepest = region.cell, region.levels[-1]
    left, top, bottom = region.left, region.top, region.top + deepest.height
    for number, row in enumerate(region.cells):
        pixels = np.full((cell, len(row) * cell, 3), GROUND, np.uint8)
        for column in np.flatnonzero(row >= 0).tolist():
            image_id = int(row[column])
            jpeg = thumb(image_id)
            if jpeg is not None:
                pixels[:, column * cell : (column + 1) * cell] = _square(jpeg, image_id, cell)
        first = number * cell
        inside = pixels[max(0, top - first) : bottom - first, left : left + deepest.width]
        if len(inside):
            yield inside


def _strips(rows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the same pixels cut into strips one tile high; the last may be lower."""
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


def _part_rows(folder: Folder, path: str, top: GridTop) -> Iterator[np.ndarray]:
    """Yield the topmost tile of each region, side by side: the level below the top."""
    for row in top.parts:
        tiles: list[np.ndarray] = []
        for key in row:
            pack = OpenPack(folder, pack_path(path, key), 0)
            jpeg = pack.get(0)
            pack.close()
            if jpeg is None:
                raise StoreDamagedError(f"the tiles in {folder.path(pack_path(path, key))} are damaged")
            tiles.append(np.asarray(Image.open(io.BytesIO(jpeg))))
        yield np.concatenate(tiles, axis=1)


def _level(strips: Iterator[np.ndarray], level: Level, pack: PackWriter) -> Iterator[np.ndarray]:
    """Pack the tiles of one level; gives the strips of the level above it."""

    def packed() -> Iterator[np.ndarray]:
        for row, strip in enumerate(strips):
            for column in range(level.columns):
                tile = strip[:, column * TILE : (column + 1) * TILE]
                pack.put(level.first + row * level.columns + column, _jpeg(tile))
            yield strip

    if level.first:
        yield from _halves(packed())
    else:
        for _ in packed():
            pass


def _halves(strips: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Strip of a level as those of the level above it, each pixel the mean of (at most) 2 x 2."""
    waiting: list[np.ndarray] = []
    for strip in strips:
        waiting.append(np.asarray(Image.fromarray(strip).reduce(2)))
        if len(waiting) == 2:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield waiting[0]


def _scatter(region: ScatterRegion, thumb: Thumb, pack: PackWriter) -> None:
    squares: dict[int, np.ndarray | None] = {}

    def square(place: int) -> np.ndarray | None:
        if place not in squares:
            image_id = int(region.ids[place])
            jpeg = thumb(image_id)
            squares[place] = None if jpeg is None else _square(jpeg, image_id, region.cell)
        return squares[place]

    for number, level in enumerate(region.levels):
        shift = len(region.levels) - 1 - number
        shown = np.flatnonzero(region.first <= number)
        left = (region.x[shown] >> shift) - region.cell // 2
        top = (region.y[shown] >> shift) - region.cell // 2
        drawn = _tiles_touched(level, left, top, region.cell)
        for tile in range(level.columns * level.rows):
            row, column = divmod(tile, level.columns)
            thumbs = [
                (int(left[one]) - column * TILE, int(top[one]) - row * TILE, pixels)
                for one in drawn.get(tile, ())
                if (pixels := square(int(shown[one]))) is not None
            ]
            pack.put(level.first + tile, _pasted(thumbs))


def _tiles_touched(level: Level, left: np.ndarray, top: np.ndarray, cell: int) -> dict[int, np.ndarray]:
    """Return by the tiles of a level, which thumbnails touch it, in their order."""
    found: list[np.ndarray] = []
    for down in (0, cell - 1):
        for right in (0, cell - 1):
            row, column = (top + down) // TILE, (left + right) // TILE
            there = np.flatnonzero((row >= 0) & (row < level.rows) & (column >= 0) & (column < level.columns))
            tile = row[there].astype(np.int64) * level.columns + column[there]
            found.append(tile * len(left) + there)
    tile, one = np.divmod(np.unique(np.concatenate(found)), max(1, len(left)))
    tiles, first = np.unique(tile, return_index=True)
    return dict(zip(tiles.tolist(), np.split(one, first[1:]), strict=False))


def _pasted(thumbs: list[tuple[int, int, np.ndarray]]) -> bytes:
    """Return a tile with thumbnails, each with its left and upper edge in the tile; what is outside is cut off."""
    if not thumbs:
        return _blank()
    pixels = np.full((TILE, TILE, 3), GROUND, np.uint8)
    for left, top, thumb in thumbs:
        inside = thumb[max(0, -top) : TILE - top, max(0, -left) : TILE - left]
        y, x = max(0, top), max(0, left)
        pixels[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return _jpeg(pixels)


@cache
def _blank() -> bytes:
    return _jpeg(np.full((TILE, TILE, 3), GROUND, np.uint8))


def _jpeg(tile: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tile)).save(file, "JPEG", quality=QUALITY, subsampling="4:4:4")
    return file.getvalue()


def _square(jpeg: bytes, image_id: int, cell: int) -> np.ndarray:
    """Return the middle square, (cell, cell, 3) uint8."""
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
