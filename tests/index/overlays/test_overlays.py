"""Tiles of overlays against an oracle that colours each pixel on its own."""

import io

import numpy as np
import pytest
from PIL import Image
from unitscope.common.errors import NotFoundError
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.scatter_layout import scatter_of
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.caching.once import OnceCache
from unitscope.index.overlays.coloring import ItemColors, by_numbers, marked
from unitscope.index.overlays.overlays import Overlay, Overlays
from unitscope.index.overlays.palettes import MARK, MISSING, SERIES, ordered, two_ended
from unitscope.index.overlays.rendering import shares
from unitscope.index.projection.grid import nearest_cells
from unitscope.index.storage.folder import Folder

IMAGES = 300


class Drawn:
    """Tiles as far as overlays ask of them."""

    def __init__(self, pyramid):
        self.pyramids = {"scatter": pyramid}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("overlays")))
    coordinates = np.random.default_rng(0).standard_normal((IMAGES, 2)).astype(np.float32)
    write_atlas(folder, "flat", np.arange(IMAGES) * 2, coordinates, side=9)
    return Atlas.open(folder, "flat")


@pytest.fixture(scope="module")
def overlays():
    return Overlays(OnceCache(1 << 26))


def values(kind):
    rng = np.random.default_rng(3)
    numbers = rng.random(2 * IMAGES).astype(np.float32) * 9
    if kind == "classes":
        numbers = numbers.astype(np.int64).astype(np.float32)
    if kind == "share":
        numbers = (numbers > 5).astype(np.float32)
    numbers[rng.random(2 * IMAGES) < 0.2] = np.nan
    return numbers


def paint(kind):
    if kind == "numbers":
        return by_numbers("n", values(kind), says="")
    if kind == "marked":
        return marked("m", 2 * IMAGES, np.arange(0, IMAGES, 4))
    names = tuple("abcdefghi") if kind == "classes" else ("right", "wrong")
    return ItemColors(kind, kind, values(kind), names=names)


def cells_of(atlas, grid):
    """(n, 2) row and column of each image, and the grid's rows and columns."""
    if grid == "assigned":
        return atlas.cells, atlas.assigned.shape
    return np.stack(nearest_cells(atlas.coordinates, 9), axis=1), (9, 9)


def expected(found, colors, own):
    """The colour of a square with these images; None where nothing is drawn, "missing" for stripes."""
    numbers = [one for one in colors.values[own].tolist() if not np.isnan(one)]
    if not numbers:
        return "missing" if len(own) and colors.kind != "marked" else None
    if colors.kind == "classes":
        counts = [numbers.count(one) for one in range(9)]
        return SERIES[counts.index(max(counts))]
    if colors.kind == "marked":
        return np.array(MARK)
    mean = np.mean(numbers)
    return two_ended(mean) if colors.kind == "share" else ordered(shares(colors, mean))


def picture(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.mark.parametrize("kind", ["numbers", "classes", "share", "marked"])
@pytest.mark.parametrize("grid", ["nearest", "assigned"])
def test_every_pixel_of_every_level(atlas, overlays, grid, kind):
    overlay = Overlay(atlas, "d", grid, paint(kind), kind)
    cells, (rows, columns) = cells_of(atlas, grid)
    levels = overlay.pyramid.levels
    striped = 0
    for level, one in enumerate(levels):
        side = overlay.pyramid.cell / 2 ** (len(levels) - 1 - level)
        whole = np.zeros((one.height, one.width, 4), np.uint8)
        for row in range(one.rows):
            for column in range(one.columns):
                part = picture(overlays.tile(overlay, level, column, row))
                top, left = row * 256, column * 256
                whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        for row in range(rows):
            for column in range(columns):
                own = atlas.images[(cells == (row, column)).all(axis=1)]
                y, x = int((row + 0.5) * side), int((column + 0.5) * side)
                wanted = expected(atlas, overlay.colors, own)
                seen = whole[y, x]
                if wanted is None:
                    assert seen[3] == 0
                elif isinstance(wanted, str):
                    striped += 1
                    assert tuple(seen[:3]) in MISSING
                    assert seen[3] > 0
                else:
                    assert abs(seen[:3].astype(int) - wanted.astype(int)).max() <= 3
                    assert seen[3] > 80
    assert (striped > 0) == (kind != "marked")


def test_each_thumbnail_of_the_scatter_has_its_own_colour():
    images = np.arange(IMAGES) * 2
    points = np.random.default_rng(2).standard_normal((IMAGES, 2)).astype(np.float32)
    scatter = scatter_of(images, points, 16)
    none = np.full((1, 1), -1)
    atlas = Atlas(
        "s", images, points, np.zeros((IMAGES, 2), np.int32), none, none, {}, Drawn(scatter.pyramid), scatter
    )
    overlay = Overlay(atlas, "s", "scatter", paint("numbers"), "numbers")
    overlays, seen_in_all = Overlays(OnceCache(1 << 26)), 0
    for level, one in enumerate(scatter.pyramid.levels):
        whole = np.zeros((one.rows * 256, one.columns * 256, 4), np.uint8)
        for row in range(one.rows):
            for column in range(one.columns):
                part = picture(overlays.tile(overlay, level, column, row))
                whole[row * 256 :, column * 256 :][: part.shape[0], : part.shape[1]] = part
        who, left, top = scatter.shown(level)
        for place, x, y in zip(who.tolist(), left.tolist(), top.tolist(), strict=True):
            value = overlay.colors.values[images[place]]
            seen = whole[y : y + 16, x : x + 16]
            assert (seen[..., 3] == 255).all()
            if np.isnan(value):
                assert {tuple(one) for one in seen[..., :3].reshape(-1, 3).tolist()} <= set(MISSING)
            else:
                wanted = ordered(shares(overlay.colors, np.array(value)))
                assert abs(seen[..., :3].astype(int) - wanted.astype(int)).max() <= 3
            seen_in_all += 1
        assert np.count_nonzero(whole[..., 3]) == 256 * len(who)
    assert seen_in_all > IMAGES


def test_where_cells_are_smaller_than_a_pixel_several_make_one(overlays):
    side = 600
    images = np.arange(side * side)
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    grid, density = images.reshape(side, side), np.ones((side, side), np.int64)
    atlas = Atlas("fine", images, places.astype(np.float32), places[:, ::-1], grid, density, {})
    numbers = np.random.default_rng(0).random(side * side).astype(np.float32)
    overlay = Overlay(atlas, "fine", "nearest", by_numbers("n", numbers, says=""), "n")
    seen = picture(overlays.tile(overlay, 0, 0, 0))
    scale = 32 / 2 ** (len(overlay.pyramid.levels) - 1)
    cells = int(np.ceil(1 / scale))
    assert cells > 1
    for y, x in ((0, 0), (40, 41), (100, 7)):
        row, column = (int((one + 0.5) / (scale * cells)) * cells for one in (y, x))
        mean = numbers.reshape(side, side)[row : row + cells, column : column + cells].mean()
        wanted = ordered(shares(overlay.colors, np.array(mean)))
        assert abs(seen[y, x, :3].astype(int) - wanted.astype(int)).max() <= 3


def test_density_is_how_many_images_share_a_cell(atlas, overlays):
    counts = overlays.density(atlas, "d", 2 * IMAGES)
    rows, columns = nearest_cells(atlas.coordinates, 9)
    assert np.isnan(counts[1::2]).all()
    assert (counts[atlas.images] == atlas.density[rows, columns]).all()


@pytest.mark.parametrize(("place", "told"), [((9, 0, 0), "no level 9"), ((0, 1, 0), "no tile 1_0")])
def test_tiles_that_are_none(atlas, overlays, place, told):
    with pytest.raises(NotFoundError, match=told):
        overlays.tile(Overlay(atlas, "d", "nearest", paint("numbers"), "numbers"), *place)


def test_a_logarithmic_scale_has_its_middle_where_the_logarithm_has():
    colors = by_numbers("n", np.array([0.0, 99.0]), says="", logarithmic=True)
    assert shares(colors, np.array([0, 9, 99])).tolist() == pytest.approx([0, 0.5, 1])


def test_colours_of_classes_differ_for_people_with_any_colour_vision():
    """In the confusion-free plane of a dichromat (Viénot et al. 1999) no two classes are the same."""
    linear = (SERIES / 255.0) ** 2.2
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    for matrix in (np.eye(3), deutan, protan):
        seen = np.clip(linear @ matrix.T, 0, 1) ** (1 / 2.2) * 255
        gaps = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        assert gaps[np.triu_indices(len(SERIES), 1)].min() > 15
