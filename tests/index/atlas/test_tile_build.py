"""What an atlas does with its tiles: which it draws, keeps and removes, and when."""

import resource
import signal
from contextlib import nullcontext

import numpy as np
import pytest
from tile_pictures import jpeg, thumb, whole
from unitscope.common.errors import NotFoundError, StorageError, StoreDamagedError
from unitscope.index.atlas.atlas import Atlas, list_atlases
from unitscope.index.atlas.tiles import GRIDS, TILE, VIEWS, packs_of
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.storage.folder import Folder


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


def test_a_disk_that_fills_up_while_tiles_are_written_leaves_the_atlas_before(tmp_path):
    folder, other = Folder(str(tmp_path / "one")), Folder(str(tmp_path / "two"))
    atlas(folder)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signals = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(StorageError, match="tiles/"):
            atlas(folder, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, signals)
    assert {path: path.read_bytes() for path in before} == before
    assert Atlas.open(folder, "flat").tiles.get("nearest", 0, 0, 0)
    for place in (folder, other):
        atlas(place, seed=1)
    assert packs_there(folder) == packs_there(other)
    assert folder.read("atlas/flat/atlas.json") == other.read("atlas/flat/atlas.json")


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
