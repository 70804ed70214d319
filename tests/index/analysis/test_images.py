"""Lists of images, and the units of one image, against plain sorting."""

import itertools

import numpy as np
import pytest
from unitscope.common.errors import FilterError, LayerError, StoreError, UsageError
from unitscope.index.analysis import image_units
from unitscope.index.analysis.analysis import Analysis
from unitscope.index.store.store import Store


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return synthetic.make_store(tmp_path_factory.mktemp("images") / "store")


@pytest.fixture(scope="module")
def store(made):
    return Store.open(made.url)


@pytest.fixture
def facts(store):
    return Analysis(store)


WHERE = {
    None: lambda row: True,
    "label = 'cat'": lambda row: row["label"] == "cat",
    "correct = false": lambda row: (
        None not in (one := (row["predicted"], row["label_index"])) and one[0] != one[1]
    ),
    "label = 'nobody'": lambda row: False,
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("sort", ["image_id", "loss", "probability"])
@pytest.mark.parametrize("descending", [True, False])
def test_images_are_kept_and_ordered(facts, made, where, sort, descending):
    kept = [row for row in made.images.to_pylist() if WHERE[where](row)]

    def key(row):
        value = row[sort]
        return (value is None, 0 if value is None else -value if descending else value, row["image_id"])

    expected = [row["image_id"] for row in sorted(kept, key=key)]
    assert facts.order.ids(where, sort, descending=descending).tolist() == expected


def test_filters_that_mean_the_same_are_answered_alike(facts):
    first = facts.order.ids("label='cat'", "loss", descending=True)
    assert facts.order.ids('(label  =  "cat")', "loss", descending=True) is first
    with pytest.raises(FilterError):
        facts.order.ids("label", "loss", descending=True)


def scores(made, number, image):
    values = made.values[number].astype(np.float64)
    swept = values[~made.failed]
    std = swept.std(axis=0)
    return np.divide(values[image] - swept.mean(axis=0), std, out=np.zeros(len(std)), where=std > 0)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_the_units_of_an_image_are_those_with_the_largest_scores(facts, store, made, k):
    for image in (0, 44, 199):
        found = facts.image_units.of(image, layer=None, k=k)
        assert [name for name, _ in found] == [layer.layer for layer in store.layers]
        for number, (_, units) in enumerate(found):
            score = scores(made, number, image)
            assert [one.score for one in units] == pytest.approx(sorted(score, reverse=True)[:k], rel=1e-5)
            assert [one.score for one in units] == pytest.approx([score[one.unit] for one in units], rel=1e-5)
            for one in units:
                values = made.values[number][:, one.unit]
                assert one.patch.value == values[image]
                assert one.rank == 1 + sum(values[~made.failed] > values[image])
                y, x = divmod(int(made.positions[number][image, one.unit]), made.layers[number].width)
                assert (one.patch.image_id, one.patch.y, one.patch.x) == (image, y, x)


def test_the_units_of_one_layer(facts):
    every = dict(facts.image_units.of(7, layer=None, k=5))
    for name, units in every.items():
        assert facts.image_units.of(7, layer=name, k=5) == [(name, units)]
    with pytest.raises(LayerError):
        facts.image_units.of(7, layer="nothing", k=5)


def test_a_failed_image_has_no_units(facts):
    assert facts.image_units.of(70, layer=None, k=3) == []
    with pytest.raises(UsageError):
        facts.image_units.of(200, layer=None, k=3)


def test_ranks_that_would_read_too_much_come_from_the_stored_patches(facts, made, store, monkeypatch):
    exact = {
        image: list(itertools.chain(*(units for _, units in facts.image_units.of(image, layer=None, k=8))))
        for image in range(20)
        if not made.failed[image]
    }
    monkeypatch.setattr(image_units, "RANK_BYTES", 0)
    told, bounded = 0, Analysis(store)
    for image, units in exact.items():
        few = itertools.chain(*(units for _, units in bounded.image_units.of(image, layer=None, k=8)))
        for one, other in zip(few, units, strict=True):
            assert one.rank in (None, other.rank)
            assert one.rank is not None or other.rank >= made.k
            told += one.rank is not None
    assert 0 < told < sum(map(len, exact.values()))


def test_a_store_without_the_table_says_what_to_do(store, facts, monkeypatch):
    monkeypatch.setattr(store, "strongest_units", lambda image_id: None)
    with pytest.raises(StoreError, match="sweep again"):
        facts.image_units.of(0, layer=None, k=3)


def test_patches_at_are_those_of_the_strongest_in_the_order_asked(store):
    for layer in ("features.0", "block.1:0", "head"):
        strongest = store.top_from_maxima(layer, 3, k=200)
        asked = strongest[::-3]
        assert store.patches_at(layer, 3, [patch.image_id for patch in asked]) == asked
    with pytest.raises(UsageError, match="image 70 failed"):
        store.patches_at("head", 3, [1, 70])
    with pytest.raises(UsageError, match="200"):
        store.patches_at("head", 3, [200])
    assert store.patches_at("head", 3, []) == []


def test_patches_in_an_image_are_those_of_each_unit(store):
    for layer, units in (("features.0", [7, 3, 39]), ("block.1:0", [0, 16]), ("head", [3])):
        expected = [store.patches_at(layer, unit, [64])[0] for unit in units]
        assert store.patches_in(layer, units, 64) == [(patch, None) for patch in expected]
        ranks = [
            1 + np.count_nonzero(store.maxima(layer, unit) > patch.value)
            for unit, patch in zip(units, expected, strict=True)
        ]
        assert store.patches_in(layer, units, 64, ranked=True) == list(zip(expected, ranks, strict=True))
    assert store.patches_in("head", [], 64, ranked=True) == []
    for arguments, error in ((("head", [4], 64), LayerError), (("head", [1], 70), UsageError)):
        with pytest.raises(error):
            store.patches_in(*arguments)


def test_maxima_of_a_layer_in_some_images(store, made):
    for chosen in ([0, 5, 63, 64, 199], range(200), [70], []):
        ids = np.array(chosen, np.int64)
        for number, layer in enumerate(made.layers):
            expected = np.where(made.failed[:, None], np.nan, made.values[number])[ids].T
            assert np.array_equal(store.maxima_of_layer(layer.layer, ids), expected, equal_nan=True)


def test_features_of_some_images(store, made):
    for chosen in ([0, 5, 63, 64, 199], range(200), [70], []):
        ids = np.array(chosen, np.int64)
        expected = np.where(made.failed[:, None], np.nan, made.feature)[ids]
        assert np.array_equal(store.features.at(ids), expected, equal_nan=True)
        assert (store.features.bytes_of(ids) > 0) == bool(len(ids))


def test_errors_lists_the_first_failed_images(store):
    assert [row["image_id"] for row in store.errors(10)] == [5, 70, 71]
    assert store.errors(1)[0]["reason"] == "image 5 is not an image"
    assert store.errors(0) == []
