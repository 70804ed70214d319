"""Similar units against numpy's correlations."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from altered_stores import altered, peculiar
from unitscope.common.errors import LayerError
from unitscope.index.analysis import similar_units
from unitscope.index.analysis.analysis import Analysis
from unitscope.index.store.store import Store

LAYERS = {"features.0": 0, "block.1:0": 1, "head": 2}


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return altered(synthetic, tmp_path_factory.mktemp("similar") / "store", peculiar)


@pytest.fixture
def similar(made):
    return Analysis(Store.open(made.url)).similar


def slowly(values, unit):
    """[(correlation, unit)] by definition, for units that have one. values: (images, units)."""
    found = []
    own = values[:, unit].astype(np.float64)
    for other in range(values.shape[1]):
        one = values[:, other].astype(np.float64)
        if other != unit and one.std() > 0 and own.std() > 0 and np.isfinite(one).all():
            found.append((np.float32(np.corrcoef(own, one)[0, 1]), other))
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


@pytest.mark.parametrize("layer", LAYERS)
def test_similar_units_are_those_of_numpy(similar, made, layer):
    values = made.values[LAYERS[layer]][~made.failed]
    for column in values.T:  # a value that is none counts as the mean
        column[~np.isfinite(column)] = column[np.isfinite(column)].mean(dtype=np.float64)
    for unit in range(0, values.shape[1], 2):
        found, expected = similar.of(layer, unit), slowly(values, unit)
        assert found.exact
        assert found.images == (~made.failed).sum()
        assert sorted(found.units.tolist()) == sorted(other for _, other in expected)
        by_unit = {other: value for value, other in expected}
        assert found.correlations.tolist() == pytest.approx([by_unit[one] for one in found.units], abs=1e-6)
        assert (np.diff(found.correlations) <= 0).all()


def test_equal_units_come_first_and_the_opposite_last(similar):
    found = similar.of("features.0", 3)
    assert (found.units[0], found.correlations[0]) == (5, 1.0)
    found = similar.of("features.0", 9)
    assert (found.units[-1], found.correlations[-1]) == (8, -1.0)


def test_equally_similar_units_stand_by_number(similar):
    """3 and 5 are equal, so to every other unit they are equally similar."""
    found = similar.of("features.0", 20).units.tolist()
    assert found.index(5) == found.index(3) + 1


def test_units_that_do_not_vary_are_similar_to_nothing(similar):
    for unit in (0, 6):  # dead, and constant
        found = similar.of("features.0", unit)
        assert (len(found.units), found.varies) == (0, False)
        assert unit not in similar.of("features.0", 3).units


def test_a_unit_with_nan_is_compared_by_the_other_images(similar):
    assert len(similar.of("head", 1).units) == 3
    assert 1 in similar.of("head", 0).units


def test_a_large_layer_is_sampled_evenly(similar, made, monkeypatch):
    monkeypatch.setattr(similar_units, "SAMPLE_BYTES", 40 * 4 * 50)
    monkeypatch.setattr(similar_units, "_FEWEST", 10)
    ids = np.flatnonzero(~made.failed)
    chosen = ids[[place * len(ids) // 50 for place in range(50)]]
    found, expected = similar.of("features.0", 4), slowly(made.values[0][chosen], 4)
    assert (found.exact, found.images) == (False, 50)
    assert found.correlations.tolist() == pytest.approx([value for value, _ in expected], abs=1e-6)


def test_two_first_questions_read_the_layer_once(similar, monkeypatch):
    read, release, start = [], threading.Event(), threading.Barrier(2)
    reader = similar._store.maxima_of_layer

    def slow(layer, ids):
        read.append(layer)
        release.wait(5)
        return reader(layer, ids)

    monkeypatch.setattr(similar._store, "maxima_of_layer", slow)

    def ask(unit):
        start.wait(5)
        return similar.of("features.0", unit)

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, unit) for unit in (3, 4)]
        threading.Timer(0.2, release.set).start()
        assert all(len(one.result(10).units) for one in asked)
    assert read == ["features.0"]


def test_unknown_units_are_refused(similar):
    with pytest.raises(LayerError):
        similar.of("features.0", 40)


def test_a_store_of_failed_images_has_no_similar_units(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", images=5, failed=range(5))
    found = Analysis(Store.open(made.url)).similar.of("features.0", 3)
    assert (len(found.units), found.images, found.varies) == (0, 0, False)
