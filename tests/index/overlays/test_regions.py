"""What sets a region apart, against means over the made-up maxima themselves."""

import numpy as np
import pytest
from unitscope.index.analysis.images import ImageColumns
from unitscope.index.overlays import regions as region_facts
from unitscope.index.overlays.items import ImageItems
from unitscope.index.overlays.regions import contrast, region_classes, region_units
from unitscope.index.store.store import Store


@pytest.fixture(scope="module")
def made(synthetic, tmp_path_factory):
    return synthetic.make_store(tmp_path_factory.mktemp("region") / "store")


@pytest.fixture(scope="module")
def store(made):
    return Store.open(made.url)


@pytest.fixture(scope="module")
def inside(made):
    return np.flatnonzero(~made.failed & (np.arange(len(made.failed)) % 3 == 0))


def test_units_by_the_gap_between_inside_and_outside(made, store, inside):
    layers = [layer.layer for layer in store.layers]
    found = region_units(store, layers, inside, 30)
    outside = np.setdiff1d(np.flatnonzero(~made.failed), inside)
    expected = []
    for number, layer in enumerate(store.layers):
        values = made.values[number].astype(np.float64)
        ok = values[~made.failed]
        for unit in range(layer.units):
            if ok[:, unit].std() > 0:
                here, rest = values[inside, unit].mean(), values[outside, unit].mean()
                expected.append((layer.layer, unit, here, rest, (here - rest) / ok[:, unit].std()))
    expected.sort(key=lambda one: -one[4])
    assert [(one.layer, one.unit) for one in found.units] == [one[:2] for one in expected[:30]]
    for one, wanted in zip(found.units, expected, strict=False):
        assert one[2:] == pytest.approx(wanted[2:], abs=1e-5)
    assert (found.exact, found.images) == (True, len(inside))


def test_beyond_the_limit_a_sample_is_looked_at_and_said(made, store, inside, monkeypatch):
    monkeypatch.setattr(region_facts, "READ_BYTES", 2 * 64 * 40 * 4)
    found = region_units(store, ["features.0"], inside, 5)
    groups = store.maxima_groups("features.0")
    assert len(groups) > 2
    assert not found.exact
    assert 0 < found.images < len(inside)
    assert len(found.units) == 5


def items(store):
    return ImageItems(store, lambda: ImageColumns.read(store))


def test_nothing_inside_or_nothing_outside(made, store):
    assert region_units(store, ["head"], np.array([], np.int64), 5).units == ()
    every = np.flatnonzero(~made.failed)
    found = region_units(store, ["head"], every, 5)
    assert found.units == ()
    assert found.exact


def test_classes_against_the_rest(made, store, inside):
    on_map = np.flatnonzero(~made.failed)
    found = region_classes(items(store).labels(), inside, on_map)
    labels = np.array(made.images["label"].to_pylist())
    rest = np.setdiff1d(on_map, inside)
    assert sum(one.items for one in found) == len(inside)
    assert [one.items for one in found] == sorted((one.items for one in found), reverse=True)
    for one in found:
        assert one.items == np.count_nonzero(labels[inside] == one.label)
        assert one.share == pytest.approx(np.mean(labels[inside] == one.label))
        assert one.rest == pytest.approx(np.mean(labels[rest] == one.label))


def test_accuracy_and_loss_against_the_rest(made, store, inside):
    on_map, known = np.flatnonzero(~made.failed), items(store).contrasts()
    rows = made.images.to_pylist()

    def means(ids):
        known = [rows[one] for one in ids if None not in (rows[one]["label_index"], rows[one]["predicted"])]
        right = np.mean([one["label_index"] == one["predicted"] for one in known])
        return right, np.mean([rows[one]["loss"] for one in ids])

    here, rest = means(inside), means(np.setdiff1d(on_map, inside))
    assert contrast(known["accuracy"], inside, on_map) == pytest.approx((here[0], rest[0]))
    assert contrast(known["mean loss"], inside, on_map) == pytest.approx((here[1], rest[1]), rel=1e-5)
    assert contrast(known["mean loss"], on_map, on_map).rest is None
