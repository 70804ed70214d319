"""Places on a map against slow oracles: Shapely-free point-in-polygon by counting crossings one image at a time."""

import numpy as np
import pytest
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.overlays.positions import MapPlaces
from unitscope.index.projection.grid import nearest_cells
from unitscope.index.storage.folder import Folder


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    folder = Folder(str(tmp_path_factory.mktemp("map")))
    coordinates = np.random.default_rng(0).random((400, 2)).astype(np.float32)
    write_atlas(folder, "flat", np.arange(400), coordinates, side=8)
    return Atlas.open(folder, "flat")


def crossings(x, y, corners):
    """How many sides are to the right of a point."""
    found = 0
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (y0 <= y) != (y1 <= y):
            found += x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return found


@pytest.mark.parametrize("grid", ["nearest", "assigned"])
def test_inside_is_what_counting_crossings_says(atlas, grid):
    places = MapPlaces.of(atlas, grid)
    rng = np.random.default_rng(1)
    some = 0
    for corners in (3, 4, 7, 30):
        polygon = rng.random((corners, 2)) * [places.columns, places.rows]
        expected = [
            place
            for place, (x, y) in enumerate(zip(places.x, places.y, strict=True))
            if crossings(x, y, polygon.tolist()) % 2
        ]
        assert places.inside(polygon).tolist() == expected
        some += len(expected)
    assert some > 100


def test_a_region_may_reach_beyond_the_map_or_hold_nothing(atlas):
    places = MapPlaces.of(atlas, "nearest")
    around = np.array([[-5.0, -5], [50, -5], [50, 50], [-5, 50]])
    assert len(places.inside(around)) == 400
    assert len(places.inside(around + 100)) == 0
    assert len(places.inside(np.array([[0.0, 3], [8, 3], [4, 3]]))) == 0


def test_images_lie_in_the_cells_that_show_them(atlas):
    near, own = MapPlaces.of(atlas, "nearest"), MapPlaces.of(atlas, "assigned")
    rows, columns = nearest_cells(atlas.coordinates, 8)
    assert (near.bins(1)[0] == rows * 8 + columns).all()
    assert (own.y.astype(int) == atlas.cells[:, 0]).all()
    assert (own.x.astype(int) == atlas.cells[:, 1]).all()
    assert (own.rows, own.columns) == atlas.assigned.shape


def test_the_box_holds_nine_tenths_along_each_axis(atlas):
    places = MapPlaces.of(atlas, "assigned")
    some = np.flatnonzero(places.x < 7)
    x0, y0, x1, y1 = places.box(some)
    assert (x0, x1) == (0, 7)
    assert ((places.y[some] >= y0) & (places.y[some] <= y1)).mean() >= 0.9
    assert places.box(np.array([], np.int64)) is None


def test_a_map_without_images(tmp_path):
    folder = Folder(str(tmp_path))
    write_atlas(folder, "none", np.empty(0, np.int64), np.empty((0, 2), np.float32))
    places = MapPlaces.of(Atlas.open(folder, "none"), "nearest")
    assert len(places.inside(np.array([[0.0, 0], [1, 0], [1, 1]]))) == 0
