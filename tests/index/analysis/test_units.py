"""Statistics of units against plain loops over the maxima."""

import numpy as np
import pytest
from altered_stores import altered, peculiar, relabel
from unitscope.common.errors import FilterError, LayerError
from unitscope.index.analysis.analysis import Analysis
from unitscope.index.analysis.units import RANKED, UnitQuery, choose
from unitscope.index.store.store import Store

LAYERS = {"features.0": 0, "block.1:0": 1, "head": 2}


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return altered(synthetic, tmp_path_factory.mktemp("units") / "store", peculiar)


@pytest.fixture(scope="module")
def store(made):
    return Store.open(made.url)


@pytest.fixture(scope="module")
def units(store):
    return Analysis(store).units


def ranked(made, number, unit, mask=None):
    """[(value, image_id)] of the images that did not fail, strongest first; NaN is left out."""
    values = made.values[number][:, unit]
    kept = ~made.failed & ~np.isnan(values) & (True if mask is None else mask)
    return sorted(
        ((float(values[image]), image) for image in np.flatnonzero(kept)), key=lambda row: (-row[0], row[1])
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_ranks_count_the_units_that_have_more(units, store, layer):
    found, table = units.layer(layer), store.units(layer).to_pylist()
    selectivity = store.selectivity(layer).to_pylist()
    for name in RANKED:
        values = [row[name] for row in (selectivity if name == "selectivity" else table)]
        known = [value for value in values if value is not None and not np.isnan(value)]
        expected = [
            0 if value is None or np.isnan(value) else 1 + sum(other > value for other in known)
            for value in values
        ]
        assert found.ranks[name].tolist() == expected
        assert found.ranked[name] == len(known)
    assert found.labels == tuple(row["label"] for row in selectivity)


def test_equal_units_share_the_better_rank(units):
    found = units.layer("features.0")
    assert found.ranks["max"][3] == found.ranks["max"][5]
    assert found.ranks["mean"][3] == found.ranks["mean"][5]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("quantile", [0, 0.01, 0.5, 0.75, 1])
@pytest.mark.parametrize("k", [1, 4, 9, 500])
def test_around_a_quantile(units, made, layer, quantile, k):
    number = LAYERS[layer]
    for unit in (0, 1, 3):
        order = ranked(made, number, unit)
        centre = len(order) - 1 - max(0, -(-int(quantile * 100) * len(order) // 100) - 1)
        near = sorted(sorted(range(len(order)), key=lambda place: (abs(place - centre), place))[:k])
        found = units.around(layer, unit, quantile=quantile, k=k, where=None)
        assert [(patch.value, patch.image_id) for patch in found.patches] == [order[one] for one in near]
        assert (found.first, found.images) == (near[0] + 1, len(order))
        middle = units.distribution(layer, unit).quantile(quantile)
        assert middle in [patch.value for patch in found.patches]


def test_around_a_quantile_under_a_filter(units, made):
    mask = np.array(made.images["label"].to_pylist()) == "cat"
    order = ranked(made, 0, 4, mask)
    found = units.around("features.0", 4, quantile=0, k=3, where="label = 'cat'")
    assert [(patch.value, patch.image_id) for patch in found.patches] == order[-3:]
    assert (found.first, found.images) == (len(order) - 2, len(order))
    assert units.around("features.0", 4, quantile=0.5, k=3, where="label = 'nobody'").patches == []
    with pytest.raises(FilterError):
        units.around("features.0", 4, quantile=0.5, k=3, where="label >")


def test_the_patches_around_quantiles_have_the_boxes_of_the_strongest(units, store):
    strongest = store.top_from_maxima("features.0", 4, k=300)
    weakest = units.around("features.0", 4, quantile=0, k=300, where=None)
    assert weakest.patches == strongest
    assert (
        units.around("features.0", 4, quantile=1, k=7, where=None).patches
        == store.top("features.0", 4, k=300)[:7]
    )


def test_kept_counts_the_images_that_did_not_fail(units, made):
    split = np.array(made.images["split"].to_pylist())
    assert units.kept(None) == (~made.failed).sum()
    assert units.kept("split = 'train'") == ((split == "train") & ~made.failed).sum()


@pytest.mark.parametrize("layer", LAYERS)
def test_classes_of_a_unit(units, made, layer):
    labels = np.array(made.images["label"].to_pylist())
    for unit in (0, 1, 2, 3):
        values = made.values[LAYERS[layer]][:, unit].astype(np.float64)
        expected = []
        for label in sorted(set(labels)):
            chosen = values[(labels == label) & ~made.failed & np.isfinite(values)]
            expected.append((label, len(chosen), chosen.mean(), (chosen > 0).mean()))
        expected.sort(key=lambda row: (np.isnan(row[2]), -row[2], row[0]))
        found = units.classes(layer, unit)
        assert [row[:2] for row in found] == [row[:2] for row in expected]
        for one, other in zip(found, expected, strict=True):
            assert one[2:] == pytest.approx(other[2:], nan_ok=True)


def test_units_without_labels_have_no_classes(synthetic, tmp_path):
    made = altered(synthetic, tmp_path / "store", lambda made: relabel(made, [None] * 200))
    units = Analysis(Store.open(made.url)).units
    assert units.classes("features.0", 3) == []
    assert set(units.layer("features.0").labels) == {None}
    assert units.layer("features.0").ranked["selectivity"] == 0


def test_unknown_units_are_refused(units):
    for layer, unit in (("features.0", 40), ("features.0", -1), ("nothing", 0)):
        for ask in (units.distribution, units.classes):
            with pytest.raises(LayerError):
                ask(layer, unit)
    with pytest.raises(LayerError):
        units.layer("nothing")


SORTS = ("unit", *RANKED)
QUERIES = (
    {},
    {"dead": True},
    {"dead": False},
    {"min_active": 0.4},
    {"max_active": 0.4},
    {"min_active": 0.3, "max_active": 0.4, "dead": False},
    {"min_selectivity": 0.05},
    {"label": "cat"},
    {"label": "nobody"},
)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [None, True, False])
def test_units_are_chosen_and_ordered(units, query, sort, descending):
    found = units.layer("features.0")

    def keep(unit):
        active, selectivity = found.values["active"][unit], found.values["selectivity"][unit]
        return (
            (query.get("dead") is None or (active == 0) == query["dead"])
            and active >= query.get("min_active", 0)
            and active <= query.get("max_active", 1)
            and ("min_selectivity" not in query or selectivity >= query["min_selectivity"])
            and ("label" not in query or found.labels[unit] == query["label"])
        )

    downwards = sort != "unit" if descending is None else descending

    def key(unit):
        value = unit if sort == "unit" else found.values[sort][unit]
        return (np.isnan(value), -value if downwards else value, unit)

    expected = sorted(filter(keep, range(40)), key=key)
    assert choose(found, UnitQuery(sort=sort, descending=descending, **query)).tolist() == expected


def test_dead_units_are_those_never_above_zero(units):
    assert choose(units.layer("features.0"), UnitQuery(dead=True)).tolist() == [0, 7, 8]


def test_units_without_any_value_fail_every_condition(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", images=5, failed=range(5))
    found = Analysis(Store.open(made.url)).units.layer("features.0")
    for query in QUERIES[1:]:
        assert choose(found, UnitQuery(**query)).tolist() == []
    assert choose(found, UnitQuery(sort="max")).tolist() == list(range(40))
    assert found.ranked["max"] == 0
