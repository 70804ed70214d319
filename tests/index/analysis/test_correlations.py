"""Correlations of all units at once against numpy's, for any blocks, tiles and threads."""

import numpy as np
import pytest
from altered_stores import altered, peculiar
from unitscope.common.errors import LayerError, UsageError
from unitscope.index.analysis import correlations
from unitscope.index.analysis.correlations import correlate
from unitscope.index.store.store import Store

LAYERS = {"features.0": 0, "block.1:0": 1, "head": 2}


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return altered(synthetic, tmp_path_factory.mktemp("correlations") / "store", peculiar)


@pytest.mark.parametrize("layer", LAYERS)
def test_they_are_those_of_numpy(made, layer):
    values = made.values[LAYERS[layer]][~made.failed].astype(np.float64)
    found = correlate(Store.open(made.url), layer)
    for column in values.T:  # a value that is none counts as the mean
        column[~np.isfinite(column)] = column[np.isfinite(column)].mean()
    varies = values.std(axis=0) > 0
    assert found.images == len(values)
    assert found.varies.tolist() == varies.tolist()
    expected = np.zeros((values.shape[1], values.shape[1]))
    expected[np.ix_(varies, varies)] = np.corrcoef(values[:, varies].T)
    np.testing.assert_allclose(found.matrix, expected, atol=1e-12)


def test_blocks_and_threads_change_next_to_nothing_and_nothing(made, monkeypatch):
    store = Store.open(made.url)
    whole = correlate(store, "features.0").matrix
    monkeypatch.setattr(correlations, "_BLOCK_NUMBERS", 40 * 7)  # seven images at a time
    monkeypatch.setattr(correlations, "_TILE", 16)
    one, many = (correlate(store, "features.0", threads=threads).matrix for threads in (1, 5))
    assert one.tobytes() == many.tobytes()
    np.testing.assert_allclose(one, whole, atol=1e-12)
    assert (one == one.T).all()


def test_a_large_mean_takes_no_digits(synthetic, tmp_path):
    def lift(made):
        made.values[2][:] = 10_000 + made.values[2]

    made = altered(synthetic, tmp_path / "store", lift)
    values = made.values[2][~made.failed].astype(np.float64)
    expected = np.corrcoef(values.T)
    assert 0 < np.abs(expected[0, 1]) < 1
    np.testing.assert_allclose(correlate(Store.open(made.url), "head").matrix, expected, atol=1e-9)


def test_what_cannot_be_correlated_is_refused(made, monkeypatch):
    store = Store.open(made.url)
    with pytest.raises(LayerError, match=r"features\.0"):
        correlate(store, "features.1")
    monkeypatch.setattr(correlations, "MOST_UNITS", 39)
    with pytest.raises(UsageError, match="40 units: at most 39"):
        correlate(store, "features.0")
