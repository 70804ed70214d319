"""Tiles: every one is a piece of the whole picture, drawn here at once; and what an atlas does with them."""

import io
import tracemalloc
from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from unitscope.common.errors import NotFoundError, StoreDamagedError
from unitscope.index.atlas import Atlas, list_atlases
from unitscope.index.atlas_writer import write_atlas
from unitscope.index.files import Folder
from unitscope.index.packs import write_pack
from unitscope.index.thumbs import Thumbs
from unitscope.index.tile_regions import GROUND, QUALITY, grid_regions, grid_top
from unitscope.index.tile_writer import CELLS, WIDEST, choose_cell, draw
from unitscope.index.tiles import GRIDS, TILE, VIEWS, Pyramid, Tiles, packs_of


def jpeg(pixels, quality=QUALITY):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return file.getvalue()


def picture(image, height=32, width=32):
    """A thumbnail of its own for each image."""
    return (
        np.random.default_rng(image)
        .integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        .repeat(8, 0)
        .repeat(8, 1)
    )


@cache
def thumb(image):
    return jpeg(picture(image), 95)


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


def whole(cells, thumb, cell):
    """The deepest level, drawn at once."""
    canvas = np.full((cells.shape[0] * cell, cells.shape[1] * cell, 3), GROUND, np.uint8)
    for (row, column), image in np.ndenumerate(cells):
        if image >= 0:
            shown = np.asarray(Image.open(io.BytesIO(thumb(int(image)))))
            canvas[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = shown
    return canvas


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


def packs_there(folder):
    return {name.split("/")[3] for name in folder.list("atlas/flat/tiles")}


def atlas(folder, seed=0, thumb=thumb, **more):
    images = np.flatnonzero(np.arange(220) % 11)
    coordinates = np.random.default_rng(seed).normal(size=(len(images), 2)).astype(np.float32)
    write_atlas(folder, "flat", images, coordinates, side=6, store=str(seed), thumb=thumb, **more)
    return images, coordinates


def test_an_atlas_with_tiles(tmp_path):
    folder = Folder(str(tmp_path))
    images, _ = atlas(folder)
    found = Atlas.open(folder, "flat")
    assert set(found.tiles.pyramids) == set(VIEWS)
    assert set(GRIDS) < set(VIEWS)
    shown = found.assigned[found.assigned >= 0]
    assert sorted(shown.tolist()) == images.tolist()
    for image in images.tolist():
        row, column = found.cell(image, "assigned")
        assert found.assigned[row, column] == image
        row, column = found.cell(image, "nearest")
        assert found.density[row, column] > 0
    counted = np.zeros((6, 6), int)
    for image in images.tolist():
        counted[found.cell(image, "nearest")] += 1
    assert (counted == found.density).all()
    for missing in (0, 11, 999, -1):
        with pytest.raises(NotFoundError, match=f"image {missing} is not on the map"):
            found.cell(missing, "nearest")
    for grid, cells in (("nearest", found.grid), ("assigned", found.assigned)):
        piece = np.ascontiguousarray(whole(cells, thumb, 32)[:TILE, :TILE])
        deepest = len(found.tiles.pyramids[grid].levels) - 1
        assert found.tiles.get(grid, deepest, 0, 0) == jpeg(piece)


def test_the_same_atlas_again_is_the_same_bytes(tmp_path):
    for run in ("one", "two"):
        atlas(Folder(str(tmp_path / run)), threads=1 if run == "one" else 3)
    files = [
        {str(path.relative_to(tmp_path / run)): path.read_bytes() for path in (tmp_path / run).rglob("*.*")}
        for run in ("one", "two")
    ]
    assert sum(name.endswith(".jpegs") for name in files[0]) == 3
    assert files[0] == files[1]


def test_the_tiles_before_stay_until_the_next_are_there(tmp_path):
    folder = Folder(str(tmp_path))
    atlas(folder)
    before = Atlas.open(folder, "flat")
    tile = before.tiles.get("assigned", 0, 0, 0)

    def failing(image):
        assert before.tiles.get("assigned", 0, 0, 0) == tile
        if image == 200:
            raise ValueError("killed here")
        return thumb(image)

    with pytest.raises(ValueError, match="killed here"):
        atlas(folder, seed=1, thumb=failing)
    assert list_atlases(folder) == ["flat"]
    assert Atlas.open(folder, "flat").manifest == before.manifest
    assert before.tiles.get("assigned", 0, 0, 0) == tile
    atlas(folder, seed=2)
    assert before.tiles.get("assigned", 0, 0, 0) == tile
    now = Atlas.open(folder, "flat")
    assert packs_there(folder) == packs_of(now.manifest["tiles"])
    assert now.tiles.get("assigned", 0, 0, 0) != tile


def test_tiles_of_a_bucket_stay_for_one_version_more(tmp_path):
    folder = Folder("memory://atlas-of-a-bucket")
    atlas(folder)
    before = Atlas.open(folder, "flat")
    tile = before.tiles.get("assigned", 0, 0, 0)
    atlas(folder, seed=1)
    assert before.tiles.get("assigned", 0, 0, 0) == tile
    atlas(folder, seed=2)
    with pytest.raises(StoreDamagedError, match="gone"):
        before.tiles.get("assigned", 0, 0, 0)
    assert packs_of(Atlas.open(folder, "flat").manifest["tiles"]) < packs_there(folder)
    assert not packs_of(before.manifest["tiles"]) & packs_there(folder)


def test_an_atlas_without_tiles_is_one(tmp_path):
    folder = Folder(str(tmp_path))
    atlas(folder)
    atlas(folder, thumb=None)
    assert Atlas.open(folder, "flat").tiles is None
    assert sorted(path.name for path in (tmp_path / "atlas/flat").iterdir() if not path.is_dir()) == [
        "atlas.json",
        "coordinates.parquet",
        "grid.parquet",
    ]
    assert packs_there(folder) == set()


def test_tiles_that_show_the_same_are_not_drawn_again(tmp_path):
    folder, asked = Folder(str(tmp_path)), []

    def counted(image):
        asked.append(image)
        return thumb(image)

    atlas(folder, thumb=counted)
    sample = len(asked)
    asked.clear()
    atlas(folder, thumb=counted)  # to choose the cell alone
    assert len(asked) <= 64 < sample
    (pack, *_) = sorted((tmp_path / "atlas/flat/tiles").glob("*/*.jpegs"))
    whole = pack.read_bytes()
    for damaged in (b"x" + whole[1:], whole[:-9]):
        pack.write_bytes(damaged)
        atlas(folder, thumb=counted)
        assert pack.read_bytes() == whole


def test_a_killed_run_s_packs_are_kept(tmp_path):
    folder, asked = Folder(str(tmp_path)), []
    random = np.random.default_rng(0)
    images, coordinates = np.arange(6000), random.random((6000, 2)).astype(np.float32)

    def failing(image):
        if len(asked) == 7000:
            raise ValueError("killed here")
        asked.append(image)
        return thumb(image % 50)

    with pytest.raises(ValueError, match="killed here"):
        write_atlas(folder, "flat", images, coordinates, thumb=failing)
    assert list_atlases(folder) == []
    there = packs_there(folder)
    assert len(there) >= 2
    times = {key: (tmp_path / f"atlas/flat/tiles/{key}/part-00000.jpegs").stat().st_mtime_ns for key in there}
    write_atlas(folder, "flat", images, coordinates, thumb=lambda image: thumb(image % 50))
    for key, time in times.items():
        assert (tmp_path / f"atlas/flat/tiles/{key}/part-00000.jpegs").stat().st_mtime_ns == time
    # Packs that are only half there, and those of runs with other coordinates, go.
    (tmp_path / "atlas/flat/tiles/0123").mkdir()
    (tmp_path / "atlas/flat/tiles/0123/part-00000.jpegs").write_bytes(b"half")
    atlas(folder)
    assert packs_there(folder) == packs_of(Atlas.open(folder, "flat").manifest["tiles"])


def test_a_change_in_one_place_draws_the_others_not_again(tmp_path):
    folder = Folder(str(tmp_path))
    side = 80
    places = np.array([(x, y) for y in range(side) for x in range(side)], np.float32)
    write_atlas(folder, "flat", np.arange(side**2), places, side=side, thumb=lambda image: thumb(image % 9))
    before = packs_there(folder)
    places[[0, 1]] = places[[1, 0]]
    write_atlas(folder, "flat", np.arange(side**2), places, side=side, thumb=lambda image: thumb(image % 9))
    now = packs_there(folder)
    views = Atlas.open(folder, "flat").manifest["tiles"]["views"]
    regions = sum(len(view["regions"]) for view in views.values())
    assert 0 < len(now - before) <= 6 < regions  # a region and the top of each view


def test_progress_counts_the_images_of_all_views(tmp_path):
    told = {}

    class Stage:
        def __init__(self, name):
            self.name = name

        def advance(self, done=1):
            told[self.name] += done

    class Progress:
        def stage(self, name, total=None, unit=""):
            assert unit == "images"
            told[name] = -(total or 0)
            return nullcontext(Stage(name))

    atlas(Folder(str(tmp_path)), progress=Progress())
    assert set(told) == {"arranging the grid", "placing thumbnails", "tiles"}
    assert set(told.values()) == {0}
