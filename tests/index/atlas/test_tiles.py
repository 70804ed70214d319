"""Tiles: every one is a piece of the whole picture, drawn here at once."""

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tile_pictures import jpeg, picture, thumb, whole
from unitscope.common.errors import NotFoundError, StoreDamagedError
from unitscope.index.atlas.tile_drawing import CELLS, WIDEST, choose_cell, draw
from unitscope.index.atlas.tile_packs import GROUND, grid_regions, grid_top
from unitscope.index.atlas.tiles import TILE, Pyramid, Tiles
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.packs import write_pack
from unitscope.index.store.thumbs import Thumbs


def written(folder, cells, thumb, cell):
    """The tiles of one grid."""
    folder = Folder(str(folder))
    regions = list(grid_regions(cells, cell, "a store"))
    top = grid_top(Pyramid(*cells.shape, cell), [region.key for region in regions])
    for region in [*regions, *filter(None, [top])]:
        draw(folder, "x", region, thumb)
    view = {"rows": cells.shape[0], "columns": cells.shape[1], "cell": cell}
    view |= {"regions": [region.key for region in regions], "top": [top.key] if top else []}
    return Tiles(folder, "x", {"views": {"nearest": view}})


def halved(pixels):
    """The mean of each 2 x 2, of what there is of it at an odd edge; halves go up, as Pillow rounds."""
    height, width = pixels.shape[:2]
    out = np.empty((-(-height // 2), -(-width // 2), 3), np.uint8)
    for y, x in np.ndindex(out.shape[:2]):
        block = pixels[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(-1, 3)
        out[y, x] = np.floor(block.mean(axis=0) + 0.5)
    return out


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 19), st.integers(1, 19), st.integers(0, 3))
def test_each_tile_is_a_piece_of_the_whole(tmp_path_factory, rows, columns, seed):
    cells = np.random.default_rng(seed).integers(-1, 30, (rows, columns))
    tiles = written(tmp_path_factory.mktemp("tiles"), cells, thumb, 32)
    levels = tiles.pyramids["nearest"].levels
    pixels, count = whole(cells, thumb, 32), 0
    for number in reversed(range(len(levels))):
        level = levels[number]
        assert pixels.shape == (level.height, level.width, 3)
        for row in range(level.rows):
            for column in range(level.columns):
                piece = pixels[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
                assert tiles.get("nearest", number, column, row) == jpeg(np.ascontiguousarray(piece))
                count += 1
        pixels = halved(pixels)
    assert (levels[0].columns, levels[0].rows) == (1, 1)
    assert count == levels[-1].first + levels[-1].columns * levels[-1].rows


def test_sizes_of_levels():
    levels = Pyramid(rows=3, columns=10, cell=96).levels
    assert [(one.width, one.height, one.columns, one.rows, one.first) for one in levels] == [
        (240, 72, 1, 1, 0),
        (480, 144, 2, 1, 1),
        (960, 288, 4, 2, 3),
    ]


@pytest.mark.parametrize("cell", CELLS)
def test_cells_that_do_not_divide_a_tile(tmp_path, cell):
    cells = np.arange(60).reshape(10, 6) % 7
    drawn = {image: jpeg(picture(image, cell, cell), 95) for image in range(7)}
    tiles = written(tmp_path, cells, drawn.get, cell)
    deepest = tiles.pyramids["nearest"].levels
    piece = whole(cells, drawn.get, cell)[:TILE, :TILE]
    assert tiles.get("nearest", len(deepest) - 1, 0, 0) == jpeg(np.ascontiguousarray(piece))


@pytest.mark.parametrize("shape", [(9, 71), (71, 66), (300, 9)])
@pytest.mark.parametrize("cell", [32, 48])
def test_grids_of_many_regions_are_pieces_of_the_whole(tmp_path, shape, cell):
    """The top is made from the regions' single tiles, as they are when they are decoded again."""
    cells = np.random.default_rng(0).integers(-1, 9, shape)
    drawn = {image: jpeg(picture(image, cell, cell), 95) for image in range(9)}
    tiles = written(tmp_path, cells, drawn.get, cell)
    pyramid = tiles.pyramids["nearest"]
    assert pyramid.cut > 0 and max(pyramid.regions) > 1
    pixels = whole(cells, drawn.get, cell)
    for number in reversed(range(len(pyramid.levels))):
        level = pyramid.levels[number]
        assert pixels.shape == (level.height, level.width, 3)
        decoded = pixels.copy()
        for row in range(level.rows):
            for column in range(level.columns):
                piece = pixels[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
                found = tiles.get("nearest", number, column, row)
                assert found == jpeg(np.ascontiguousarray(piece))
                if number == pyramid.cut:
                    decoded[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = np.asarray(
                        Image.open(io.BytesIO(found))
                    )
        pixels = np.asarray(Image.fromarray(decoded).reduce(2))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from(CELLS))
def test_every_tile_has_a_place_of_its_own(rows, columns, cell):
    pyramid = Pyramid(rows, columns, cell)
    assert np.prod(pyramid.regions) <= 64
    random = np.random.default_rng(rows)
    places = {}
    for _ in range(200):
        level = int(random.integers(len(pyramid.levels)))
        one = pyramid.levels[level]
        tile = (level, int(random.integers(one.columns)), int(random.integers(one.rows)))
        assert places.setdefault(pyramid.place(*tile), tile) == tile


def test_an_image_is_cut_to_its_middle_square(tmp_path):
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96] = (250, 10, 10)
    tiles = written(tmp_path, np.array([[0]]), lambda _: jpeg(pixels, 100), 32)
    shown = np.asarray(Image.open(io.BytesIO(tiles.get("nearest", 0, 0, 0)))).astype(int)
    assert abs(shown[4:28, 4:28] - (250, 10, 10)).max() < 12


def test_gray_thumbnails_and_missing_ones(tmp_path):
    gray = jpeg(np.full((32, 32), 200, np.uint8))
    tiles = written(tmp_path, np.array([[0, 1]]), {0: gray}.get, 32)
    shown = np.asarray(Image.open(io.BytesIO(tiles.get("nearest", 0, 0, 0)))).astype(int)
    assert abs(shown[:, :30] - 200).max() < 8
    assert abs(shown[:, 34:] - GROUND).max() < 8


def test_a_damaged_thumbnail_is_named(tmp_path):
    for damaged in (b"no jpeg", jpeg(picture(1))[:200]):
        with pytest.raises(StoreDamagedError, match="thumbnail of image 3"):
            written(tmp_path, np.array([[3]]), lambda _, damaged=damaged: damaged, 32)
    assert list(tmp_path.rglob("*.jpegs")) == []


@pytest.mark.parametrize(
    ("sides", "cell"),
    [((8, 9), 16), ((32, 32), 32), ((96, 72), 64), ((96, 96), 96), ((47, 96), 32), ((300, 200), 96)],
)
def test_a_cell_is_no_larger_than_the_thumbnails(sides, cell):
    one = jpeg(np.zeros((sides[1], sides[0], 3), np.uint8))
    assert choose_cell(np.arange(500), lambda _: one) == cell


def test_a_cell_is_smaller_where_there_are_many():
    one = jpeg(np.zeros((96, 96, 3), np.uint8))
    for images, cell in ((180_000, 96), (190_000, 64), (1_281_167, 32), (100_000_000, 16)):
        assert choose_cell(np.arange(images), lambda _: one) == cell
    assert WIDEST / 1_281_167**0.5 > 32


def test_memory_does_not_grow_with_the_height(tmp_path):
    def peak(rows):
        tracemalloc.start()
        written(tmp_path / str(rows), np.zeros((rows, 8), np.int64), lambda _: thumb(0), 32)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(8)
    assert peak(320) < 1.2 * peak(64)  # a region is 64 rows of cells high


def test_tiles_that_are_none_are_told(tmp_path):
    cells = np.zeros((9, 9), np.int64)
    tiles = written(tmp_path, cells, thumb, 32)
    for place in ((2, 0, 0), (-1, 0, 0), (1, 2, 0), (1, 0, 2), (1, -1, 0)):
        with pytest.raises(NotFoundError, match=r"no level|no tile"):
            tiles.get("nearest", *place)
    before = tiles.get("nearest", 1, 0, 0)
    (pack,) = (tmp_path / "x/tiles").glob("*/part-00000.jpegs")
    pack.unlink()
    assert tiles.get("nearest", 1, 0, 0) == before
    view = {"rows": 9, "columns": 9, "cell": 32, "regions": [pack.parent.name], "top": []}
    with pytest.raises(StoreDamagedError, match="cannot be read"):
        Tiles(Folder(str(tmp_path)), "x", {"views": {"nearest": view}})


@pytest.mark.parametrize("url", ["{}", "memory://thumbs"])
def test_thumbs_of_a_folder_and_of_a_bucket(tmp_path, url):
    folder = Folder(url.format(tmp_path))
    jpegs = [None if image % 5 == 3 else b"%d" % image * image for image in range(1, 40)]
    for part, (first, stop) in enumerate([(0, 20), (20, 20), (20, 39)]):
        write_pack(folder, "thumbs", part, jpegs[first:stop])
    with Thumbs(folder, [20, 0, 19]) as thumbs:
        assert [thumbs.get(image) for image in range(39)] == jpegs
    folder.publish("thumbs/part-00000.jpegs", b"short")
    with Thumbs(folder, [20, 0, 19]) as thumbs, pytest.raises(StoreDamagedError, match="shorter"):
        thumbs.get(18)
    with Thumbs(folder, [20, 0, 19, 5]) as thumbs, pytest.raises(StoreDamagedError, match="cannot be read"):
        thumbs.get(40)
