"""The units' own map: distances are those of correlations, units that fire alike lie together, dead ones apart."""

import io

import numpy as np
import pytest
from altered_stores import altered
from PIL import Image
from unitscope.index.analysis.correlations import correlate
from unitscope.index.atlas.units_atlas import dimmed, lay_out_units, unit_vectors, with_rows_under
from unitscope.index.projection.projection import MapOptions
from unitscope.index.store.store import Store

DEAD, CONSTANT = [3, 21], [30]


def families(made):
    """Of the first layer's 40 units, unit u fires with those of u % 4; two are dead, one is constant."""
    values = made.values[0]
    random = np.random.default_rng(5)
    common = random.normal(size=(len(values), 4))
    values[:] = np.abs(common[:, np.arange(40) % 4] + 0.3 * random.normal(size=values.shape))
    values[:, DEAD] = -1 - np.abs(random.normal(size=(len(values), 2)))
    values[:, CONSTANT] = 2


@pytest.fixture(scope="module")
def store(synthetic, tmp_path_factory):
    return Store.open(altered(synthetic, tmp_path_factory.mktemp("families") / "store", families).url)


def test_distances_are_those_of_the_scaled_maxima(store):
    found = correlate(store, "features.0")
    on_map = found.varies.copy()
    on_map[DEAD] = False
    vectors = unit_vectors(found, on_map)
    assert vectors.valid.tolist() == on_map.tolist()
    rows = vectors.features[on_map].astype(np.float64)
    gaps = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    expected = np.sqrt(np.maximum(0, 2 - 2 * found.matrix[np.ix_(on_map, on_map)]))
    np.testing.assert_allclose(gaps, expected, atol=1e-3)


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_units_that_fire_alike_lie_together(store, method):
    found = lay_out_units(store, "features.0", MapOptions(method, neighbours=6))
    assert np.flatnonzero(found.apart).tolist() == sorted(DEAD + CONSTANT)
    assert (found.settings["dead"], found.settings["constant"]) == (2, 1)
    assert (found.settings["layer"], found.settings["correlated_over"]) == ("features.0", 197)
    alive = np.flatnonzero(~found.apart)
    points = found.coordinates[alive].astype(np.float64)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(alive))
    nearest = alive[gaps.argmin(axis=1)]
    assert (nearest % 4 == alive % 4).mean() > 0.9
    assert found.coordinates[found.apart, 1].min() > points[:, 1].max()
    again = lay_out_units(store, "features.0", MapOptions(method, neighbours=6, threads=3))
    assert again.coordinates.tobytes() == found.coordinates.tobytes()


def test_units_are_on_the_map_by_their_finite_maxima(synthetic, tmp_path):
    def holes(made):
        families(made)
        made.values[0][11, [4, 5]] = np.nan, np.inf
        made.values[0][:, 6] = np.nan

    found = lay_out_units(
        Store.open(altered(synthetic, tmp_path / "store", holes).url), "features.0", MapOptions("pca")
    )
    assert np.flatnonzero(found.apart).tolist() == sorted([*DEAD, *CONSTANT, 6])
    told = {name: found.settings[name] for name in ("dead", "constant", "nonfinite")}
    assert told == {"dead": 2, "constant": 1, "nonfinite": 1}


def test_a_layer_whose_units_are_all_dead_is_rows():
    placed = with_rows_under(np.empty((0, 2), np.float32), np.zeros(7, bool))
    assert len({tuple(place) for place in placed.tolist()}) == 7
    assert np.isfinite(placed).all()


def test_rows_under_the_map_hold_every_other_unit_once():
    on_map = np.arange(50) % 3 > 0
    coordinates = np.random.default_rng(0).normal(size=(on_map.sum(), 2)).astype(np.float32) * 40
    placed = with_rows_under(coordinates, on_map)
    assert placed[on_map].min() >= 0 and placed[on_map].max() <= 1
    order = np.argsort(coordinates[:, 0])
    assert (np.diff(placed[on_map][order, 0]) >= 0).all()
    under = placed[~on_map]
    assert len({tuple(place) for place in under.tolist()}) == (~on_map).sum()
    assert under[:, 1].min() > 1 and under[:, 0].min() > 0 and under[:, 0].max() < 1


def test_a_dimmed_picture_is_gray_and_nearly_flat():
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    with Image.open(io.BytesIO(dimmed(file.getvalue()))) as picture:
        assert picture.size == (30, 40)
        levels = np.asarray(picture.convert("L"))
        assert picture.mode == "L" and levels.min() >= 0x40 and levels.max() <= 0x68
