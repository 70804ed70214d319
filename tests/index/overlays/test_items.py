"""What a map's items are colored by: images, units and samples of images, against the store's own columns."""

import numpy as np
import pytest
from unitscope.common.errors import FilterError, UsageError
from unitscope.index.analysis.analysis import Analysis
from unitscope.index.overlays.coloring import at_rows
from unitscope.index.overlays.items import ALIVE, DEAD, ImageItems, UnitItems

LAYER = "features.0"
ROWS = np.array([3, 3, 0, 7, 150])


@pytest.fixture(scope="module")
def units(store):
    facts = Analysis(store)
    return UnitItems(facts.units.layer(LAYER), facts.similar)


@pytest.fixture(scope="module")
def images(store):
    return ImageItems(store, Analysis(store).images)


@pytest.mark.parametrize("column", ["label", "loss", "correct", "predicted", "split"])
def test_what_some_rows_are_painted_by_is_that_of_their_items(images, column):
    whole = images.by_column(column)
    some = at_rows(whole, ROWS)
    np.testing.assert_array_equal(some.values, whole.values[ROWS])
    assert (some.title, some.kind, some.names) == (whole.title, whole.kind, whole.names)
    there = some.values[~np.isnan(some.values)]
    if some.kind == "numbers":
        assert (some.smallest, some.largest) == (there.min(), there.max())
    else:
        assert sum(some.counts) == len(there)


def test_units_have_their_statistics_and_a_state(units, store):
    table = store.units(LAYER)
    for name in ("max", "mean", "active"):
        np.testing.assert_allclose(units.by_column(name).values, table[name].to_numpy(), rtol=1e-6)
    state = units.by_column("state")
    dead = table["active"].to_numpy() == 0
    assert [state.names[int(one)] for one in state.values] == [DEAD if one else ALIVE for one in dead]
    where = f"state = '{ALIVE}' and unit >= 5"
    np.testing.assert_array_equal(units.mask(where), ~dead & (np.arange(units.count) >= 5))
    labels = units.labels()
    told = [labels.names[code] if code >= 0 else None for code in labels.codes.numbers]
    assert told == store.selectivity(LAYER)["label"].to_pylist()


def test_what_units_have_not_is_refused_with_what_there_is(units):
    with pytest.raises(UsageError, match="there are max, mean"):
        units.by_column("loss")
    with pytest.raises(UsageError, match=r"use layer=features\.0"):
        units.by_unit("head", 1)
    with pytest.raises(FilterError, match="loss"):
        units.mask("loss > 1")
