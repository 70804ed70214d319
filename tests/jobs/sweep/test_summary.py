"""What a sweep sums up by label and by image, against its own maxima; what the dry run says about these tables."""

from dataclasses import replace

import numpy as np
import pytest
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs.planning.config import SweepConfig
from unitscope.jobs.sweep import estimate
from unitscope.jobs.sweep.run import sweep


@pytest.fixture(scope="module")
def config(make, tmp_path_factory):
    material = make(tmp_path_factory.mktemp("summary"), 90)
    (material.data / "square" / "0001.jpg").write_bytes(b"no image")
    return SweepConfig(
        data=str(material.data),
        store=str(tmp_path_factory.mktemp("summaries") / "store"),
        model=material.model,
        workers=0,
        batch_size=16,
        k=10,
        max_error_rate=0.1,
    )


@pytest.fixture(scope="module")
def store(config):
    sweep(config)
    return Store.open(config.store)


def test_by_label(store):
    images = store.images(["label", "label_index", "predicted", "status", "loss"]).to_pylist()
    classes = store.classes_table().to_pylist()
    assert [row["label"] for row in classes] == ["circle", "cross", "square"]
    assert [row["images"] for row in classes] == [30, 30, 29]
    assert store.manifest.counts["labels"] == 3
    for row in classes:
        members = [one for one in images if one["label"] == row["label"] and one["status"] == "ok"]
        right = sum(one["predicted"] == one["label_index"] for one in members)
        assert (row["label_index"], row["correct"]) == (members[0]["label_index"], right)
        assert right + sum(one["images"] for one in row["confusions"]) == len(members)
        assert row["mean_loss"] == pytest.approx(np.mean([one["loss"] for one in members]))


def test_selectivity(store):
    labels = [row["label"] for row in store.images(["label"]).to_pylist()]
    for layer in store.layers:
        table = store.selectivity(layer.layer).to_pylist()
        assert [row["unit"] for row in table] == list(range(layer.units))
        for unit, row in enumerate(table):
            values = np.maximum(store.maxima(layer.layer, unit).astype(np.float64), 0)
            means = {
                label: np.nanmean(values[[one == label for one in labels]])
                for label in ("circle", "cross", "square")
            }
            stored = store.class_means(layer.layer, unit)
            np.testing.assert_allclose(stored, list(means.values()), rtol=1e-6)
            largest = means.pop(row["label"]) if row["label"] else 0
            rest = np.mean(list(means.values()))
            assert largest >= max(means.values())
            expected = (largest - rest) / (largest + rest) if largest else None
            assert row["selectivity"] == (None if expected is None else pytest.approx(expected, abs=1e-5))


def test_strongest_units(store):
    failed = store.find_image("square/0001.jpg")
    assert store.strongest_units(failed) == [[] for _ in store.layers]
    found = [store.strongest_units(image) for image in range(90)]
    for number, layer in enumerate(store.layers):
        values = np.stack([store.maxima(layer.layer, unit) for unit in range(layer.units)], axis=1)
        table = store.units(layer.layer)
        mean, std = (table[name].to_numpy() for name in ("mean", "std"))
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = np.where(std > 0, (values.astype(np.float64) - mean) / std, 0).astype(np.float32)
        for image in set(range(90)) - {failed}:
            order = np.lexsort((np.arange(layer.units), -scores[image]))[:8]
            assert [tuple(one) for one in found[image][number]] == [
                (layer.layer, unit, values[image, unit], scores[image, unit]) for unit in order.tolist()
            ]


def test_it_verifies(config):
    assert verify(config.store).problems == ()


def test_the_dry_run_knows_their_size(config, store, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "MEASURED_SECONDS", 0.01)
    tables = estimate.estimate(replace(config, store=str(tmp_path / "none"))).tables
    units = sum(layer.units for layer in store.layers)
    assert tables["selectivity.parquet"] == units * 3 * 4
    bytes_there = sum(record.bytes for record in store.manifest.parts("strongest"))
    assert tables["strongest"] == pytest.approx(bytes_there, rel=0.2)
