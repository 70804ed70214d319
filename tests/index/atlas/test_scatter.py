"""The scatter: nobody overlaps anybody, nobody is hidden, and who is shown once stays."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.scatter_layout import scatter_of
from unitscope.index.atlas.tile_packs import GROUND, QUALITY
from unitscope.index.atlas.tiles import TILE
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.projection.grid import scaled
from unitscope.index.storage.folder import Folder

CELL = 32


def heaps(count, seed=0):
    """Clusters, a line, and points that are the same."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(count, 2)) * random.uniform(0.02, 1, (count, 1))
    points[: count // 4] = points[0]
    points[count // 4 : count // 3, 1] = 0
    return points.astype(np.float32)


def check(scatter, coordinates):
    """Nothing overlaps or sticks out in any level, and all are in the deepest."""
    deepest = len(scatter.pyramid.levels) - 1
    for level, one in enumerate(scatter.pyramid.levels):
        who, left, top = scatter.shown(level)
        assert min(left.min(), top.min()) >= 0
        assert max(left.max(), top.max()) + CELL <= one.width == one.height
        covered = np.zeros((one.height, one.width), bool)
        for x, y in zip(left.tolist(), top.tolist(), strict=True):
            piece = covered[y : y + CELL, x : x + CELL]
            assert not piece.any()
            piece[:] = True
    assert len(who) == len(coordinates)
    assert scatter.first.min() == 0
    # Who is not moved is where the map has it: the map's square is the view without half a thumbnail at each edge.
    width = scatter.pyramid.levels[-1].width
    true = (scaled(coordinates) * (1 - CELL / TILE) + CELL / TILE / 2) * width
    gap = np.hypot(true[:, 0] - scatter.x, true[:, 1] - scatter.y)
    assert (gap > 2).sum() <= scatter.moved
    assert (gap[scatter.first < deepest] < 2).all()
    assert gap.max() <= scatter.furthest + 2


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(0, 3))
def test_every_image_is_shown_and_none_overlaps(count, seed):
    coordinates = heaps(count, seed)
    check(scatter_of(np.arange(count) * 3, coordinates, CELL), coordinates)


@pytest.mark.parametrize(
    "coordinates",
    [np.zeros((700, 2)), np.stack([np.arange(700), np.zeros(700)], axis=1), np.array([[7, 7]])],
    ids=["equal", "line", "one"],
)
def test_degenerate_maps(coordinates):
    scatter = scatter_of(np.arange(len(coordinates)), coordinates.astype(np.float32), CELL)
    check(scatter, coordinates)
    if len(coordinates) == 700 and not coordinates.any():
        assert scatter.moved == 699
        assert scatter.furthest <= 6 * 700**0.5 * CELL  # a heap, not a trail


def test_no_level_has_room_for_one_more():
    coordinates = np.random.default_rng(0).normal(size=(800, 2)).astype(np.float32)
    scatter = scatter_of(np.arange(800), coordinates, CELL)
    deepest = len(scatter.pyramid.levels) - 1
    for level in range(deepest):
        shift = deepest - level
        x, y = scatter.x >> shift, scatter.y >> shift
        shown = scatter.first <= level
        for late in np.flatnonzero((scatter.first > level) & (scatter.first < deepest)):
            assert ((abs(x[shown] - x[late]) < CELL) & (abs(y[shown] - y[late]) < CELL)).any()


def test_turns_do_not_depend_on_the_order_or_the_others():
    coordinates = np.random.default_rng(1).random((600, 2)).astype(np.float32)
    one = scatter_of(np.arange(600), coordinates, CELL)
    order = np.random.default_rng(2).permutation(600)
    other = scatter_of(order, coordinates[order], CELL)
    assert (one.first[order] == other.first).all()
    assert (one.x[order] == other.x).all()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder, coordinates = Folder(str(tmp_path_factory.mktemp("scatter"))), heaps(1500)
    write_atlas(folder, "flat", np.arange(1500) * 2, coordinates, thumb=thumb, threads=2)
    return Atlas.open(folder, "flat")


def thumb(image):
    if image % 7 == 3:
        return None
    file = io.BytesIO()
    colour = np.random.default_rng(image).integers(0, 256, 3).tolist()
    Image.new("RGB", (CELL, CELL), tuple(colour)).save(file, "JPEG", quality=95)
    return file.getvalue()


def test_every_tile_is_a_piece_of_its_level(found):
    pyramid = found.tiles.pyramids["scatter"]
    assert pyramid.cut > 0
    for number, level in enumerate(pyramid.levels):
        canvas = np.full((level.height, level.width, 3), GROUND, np.uint8)
        for who, left, top in zip(*found.scatter.shown(number), strict=True):
            jpeg = thumb(int(found.images[who]))
            if jpeg:
                canvas[top : top + CELL, left : left + CELL] = np.asarray(Image.open(io.BytesIO(jpeg)))
        for row in range(level.rows):
            for column in range(level.columns):
                piece = canvas[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
                file = io.BytesIO()
                pixels = Image.fromarray(np.ascontiguousarray(piece))
                pixels.save(file, "JPEG", quality=QUALITY, subsampling="4:4:4")
                assert found.tiles.get("scatter", number, column, row) == file.getvalue()


def test_what_is_drawn_over_a_pixel(found):
    random = np.random.default_rng(0)
    for level, one in enumerate(found.scatter.pyramid.levels):
        who, left, top = found.scatter.shown(level)
        for x, y in random.random((60, 2)) * one.width:
            over = who[(left <= x) & (x < left + CELL) & (top <= y) & (y < top + CELL)]
            assert found.scatter.at(level, x, y) == (int(over[0]) if len(over) else None)
        for place in random.integers(len(who), size=20):
            assert found.scatter.at(level, float(left[place]), top[place] + CELL - 0.5) == who[place]


def test_the_manifest_says_what_was_moved(found):
    facts = found.manifest["tiles"]["views"]["scatter"]
    assert facts["moved"] == found.scatter.moved > 0
    assert facts["furthest"] == pytest.approx(found.scatter.furthest, abs=0.1)
