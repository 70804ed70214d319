"""classes.parquet, selectivity.parquet and strongest/ against slow oracles over whole maxima, and their readers."""

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from summary_cases import odd, read, replace, whole
from unitscope.index.format.manifest import Manifest
from unitscope.index.format.schema import CLASSES_SCHEMA, SELECTIVITY_SCHEMA, STRONGEST_SCHEMA, STRONGEST_TYPE
from unitscope.index.merge import labels as label_numbers
from unitscope.index.merge.class_sums import class_sums
from unitscope.index.merge.image_units import Scale
from unitscope.index.stats.moments import Statistics
from unitscope.index.store.store import Store


@pytest.fixture(scope="module", params=["plain", "odd"])
def made(request, synthetic, tmp_path_factory):
    change = odd if request.param == "odd" else lambda made: None
    return synthetic.make_store(tmp_path_factory.mktemp("summary") / "store", change=change)


def mean(values):
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def oracle_classes(made):
    """Image by image."""
    rows = [row for row in made.images.to_pylist() if row["status"] == "ok"]
    found = []
    for label in sorted({row["label"] for row in made.images.to_pylist()} - {None}, key=str.encode):
        members = [row for row in rows if row["label"] == label]
        known = [row["label_index"] for row in made.images.to_pylist() if row["label"] == label]
        index = next((one for one in known if one is not None), None)
        wrong = Counter(row["predicted"] for row in members if row["predicted"] != index)
        wrong = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
        row = {
            "label": label,
            "label_index": index,
            "images": len(members),
            "correct": sum(row["predicted"] == index for row in members),
            "predicted": sum(row["predicted"] == index for row in rows),
            "mean_probability": mean([row["probability"] for row in members]),
            "mean_loss": mean([row["loss"] for row in members]),
            "confusions": [{"predicted": one, "images": count} for one, count in wrong],
        }
        found.append(row | ({"correct": None, "predicted": None} if index is None else {}))
    return found


def test_columns_are_those_of_the_format(made):
    classes = "label label_index images correct predicted mean_probability mean_loss confusions"
    assert " ".join(CLASSES_SCHEMA.names) == classes
    assert SELECTIVITY_SCHEMA.names == ["layer", "unit", "label", "selectivity", "means"]
    assert STRONGEST_SCHEMA.names == ["image_id", "units"]
    assert STRONGEST_TYPE.names == ["layer", "unit", "value", "score"]
    assert read(made, "classes.parquet").schema.names == CLASSES_SCHEMA.names
    assert read(made, "selectivity.parquet").schema == SELECTIVITY_SCHEMA
    assert whole(made, "strongest").schema == STRONGEST_SCHEMA
    assert Manifest.read(made.folder).counts["labels"] == read(made, "classes.parquet").num_rows


def test_classes(made):
    got, expected = read(made, "classes.parquet").to_pylist(), oracle_classes(made)
    means = ("mean_probability", "mean_loss")
    assert [{k: v for k, v in row.items() if k not in means} for row in got] == [
        {k: v for k, v in row.items() if k not in means} for row in expected
    ]
    for row, other in zip(got, expected, strict=True):
        for name in means:
            assert row[name] == (None if other[name] is None else pytest.approx(other[name], rel=1e-12))


def oracle_means(made, number, unit):
    """{label: mean of max(maximum, 0)} of the labels with images, in order."""
    rows = made.images.to_pylist()
    labels = [row["label"] for row in oracle_classes(made)]
    values = made.values[number][:, unit].astype(np.float64)
    found = {}
    for label in labels:
        ids = [row["image_id"] for row in rows if row["label"] == label and row["status"] == "ok"]
        found[label] = math.fsum(max(values[i], 0.0) for i in ids) / len(ids) if ids else None
    return found


def test_selectivity(made):
    rows = iter(read(made, "selectivity.parquet").to_pylist())
    undefined = 0
    for number, layer in enumerate(made.layers):
        for unit in range(layer.units):
            row = next(rows)
            assert (row["layer"], row["unit"]) == (layer.layer, unit)
            means = oracle_means(made, number, unit)
            assert row["means"] == [
                None if mean is None else pytest.approx(mean, rel=1e-6) for mean in means.values()
            ]
            known = {label: mean for label, mean in means.items() if mean is not None}
            largest = max(known.values())
            if largest == 0:
                undefined += 1
                assert (row["label"], row["selectivity"]) == (None, None)
                continue
            rest = [mean for label, mean in known.items() if label != row["label"]]
            assert known[row["label"]] == pytest.approx(largest, rel=1e-6)
            rest = sum(rest) / len(rest)
            assert row["selectivity"] == pytest.approx(
                (largest - rest) / (largest + rest), rel=1e-5, abs=1e-7
            )
    assert next(rows, None) is None
    assert undefined > 0


def test_a_constant_unit_is_not_selective_and_prefers_the_first_label(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", change=odd)
    row = read(made, "selectivity.parquet").to_pylist()[40 + 3]
    assert (row["label"], row["selectivity"]) == ("", 0)


def oracle_scores(made, number, image):
    """[(unit, value, score)] of every unit, the largest score first."""
    values = made.values[number].astype(np.float64)
    mean, std = values[~made.failed].mean(axis=0), values[~made.failed].std(axis=0)
    scores = [
        0.0 if std[unit] == 0 else (values[image, unit] - mean[unit]) / std[unit] for unit in range(len(std))
    ]
    rows = [(unit, float(made.values[number][image, unit]), score) for unit, score in enumerate(scores)]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def test_strongest(made):
    """As sorting everything has it; units whose scores differ in the last bits alone may change places."""
    table = whole(made, "strongest")
    assert table["image_id"].to_pylist() == list(range(200))
    rows = table["units"].to_pylist()
    assert [row is None for row in rows] == made.failed.tolist()
    for image in np.flatnonzero(~made.failed).tolist():
        row = rows[image]
        assert [one["layer"] for one in row] == [0] * 8 + [1] * 8 + [2] * 4
        for number in range(3):
            got = [(one["unit"], one["value"], one["score"]) for one in row if one["layer"] == number]
            expected = oracle_scores(made, number, image)
            scores = [score for _, _, score in got]
            assert scores == pytest.approx(
                [score for _, _, score in expected[: len(got)]], rel=1e-5, abs=1e-6
            )
            assert got == sorted(got, key=lambda one: (-one[2], one[0]))
            by_unit = {unit: (value, score) for unit, value, score in expected}
            for unit, value, score in got:
                assert (value, score) == (
                    by_unit[unit][0],
                    pytest.approx(by_unit[unit][1], rel=1e-5, abs=1e-6),
                )


def test_scores_that_are_equal_stand_by_unit():
    values = np.array([[1, 3, 3, 0, 3, 5, 1, 1, 1, 1]], np.float32)
    scale = Scale(np.zeros(10), np.ones(10))
    assert scale.strongest(values).tolist() == [[5, 1, 2, 4, 0, 6, 7, 8]]


@pytest.mark.parametrize("units", [1, 8, 9, 300])
def test_strongest_of_many_equal_sorting(units):
    rng = np.random.default_rng(units)
    values = np.maximum(rng.standard_normal((1000, units)), 0).astype(np.float32)
    values[:, 0] = 0.1  # a constant unit
    scale = Scale.of(Statistics.of(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = (values.astype(np.float64) - scale.means) / np.where(
            np.isfinite(scale.std), scale.std, np.nan
        )
    scores = np.where(np.isnan(exact), 0, exact).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :8]
    assert scale.strongest(values).tolist() == expected.tolist()
    assert np.array_equal(scale.scores(values), scores)
    assert not scores[:, 0].any()


def test_what_is_no_number_has_no_score():
    """Where NaN and infinities are allowed in, the others' scores are over what is finite."""
    values = np.random.default_rng(0).standard_normal((50, 12)).astype(np.float32)
    values[3, 2], values[4, 5], values[5, 5] = np.nan, np.inf, -np.inf
    scale = Scale.of(Statistics.of(values))
    scores = scale.scores(values)
    assert np.isfinite(scores).all()
    assert not scores[[3, 4, 5], [2, 5, 5]].any()
    assert scores.any(axis=0).all()
    assert all(len(set(row)) == 8 for row in scale.strongest(values).tolist())


def test_class_sums_are_added_image_by_image():
    rng = np.random.default_rng(0)
    values = (rng.standard_normal((5, 700)) * 10.0 ** rng.integers(-6, 7, (5, 700))).astype(np.float32)
    labels = rng.integers(-1, 4, 700)
    expected = np.zeros((5, 4))
    for unit in range(5):
        for value, label in zip(values[unit].astype(np.float64).tolist(), labels.tolist(), strict=True):
            if label >= 0:
                expected[unit, label] += max(value, 0.0)
    assert np.array_equal(class_sums(values, labels, 4), expected)
    assert class_sums(values, labels, 0).shape == (5, 0)
    assert not class_sums(values[:, :0], labels[:0], 3).any()


def none_at_all(made):
    replace(made, label=[None] * made.images.num_rows, label_index=[None] * made.images.num_rows)


def one_each(made):
    replace(made, label=[f"{image:04d}" for image in range(made.images.num_rows)])


@pytest.mark.parametrize(("change", "labels"), [(none_at_all, 0), (one_each, 200)])
def test_without_labels_or_with_too_many(synthetic, tmp_path, monkeypatch, change, labels):
    monkeypatch.setattr(label_numbers, "LABELS_LIMIT", 199)
    made = synthetic.make_store(tmp_path / "store", change=change)
    store = Store.open(made.url)
    assert store.manifest.counts["labels"] == labels
    assert store.classes_table().num_rows == 0
    table = read(made, "selectivity.parquet")
    assert (table.num_rows, table["means"].null_count, table["selectivity"].null_count) == (61, 61, 61)
    assert store.class_means("head", 1).shape == (0,)
    assert store.selectivity("head")["label"].to_pylist() == [None] * 4
    assert store.strongest_units(0)[2]


def test_as_many_labels_as_allowed(synthetic, tmp_path, monkeypatch):
    monkeypatch.setattr(label_numbers, "LABELS_LIMIT", 200)
    store = Store.open(synthetic.make_store(tmp_path / "store", change=one_each).url)
    assert store.classes_table().num_rows == 200
    assert store.class_means("head", 1).shape == (200,)
    assert np.flatnonzero(np.isnan(store.class_means("head", 1))).tolist() == [5, 70, 71]


def test_one_label_has_no_rest(synthetic, tmp_path):
    def change(made):
        replace(made, label=["all"] * made.images.num_rows)

    made = synthetic.make_store(tmp_path / "store", change=change)
    assert read(made, "selectivity.parquet")["selectivity"].null_count == 61
    assert read(made, "classes.parquet")["images"].to_pylist() == [197]


def test_a_model_without_classes(synthetic, tmp_path):
    """Nothing is predicted: nothing is right or wrong."""

    def change(made):
        none = [None] * made.images.num_rows
        replace(made, predicted=none, probability=none, loss=none)

    made = synthetic.make_store(tmp_path / "store", change=change)
    for row in read(made, "classes.parquet").to_pylist():
        assert row["images"] > 0
        assert [row[name] for name in ("correct", "predicted", "mean_probability", "mean_loss")] == [None] * 4
        assert row["confusions"] == []


def test_confusions_are_capped(synthetic, tmp_path, monkeypatch):
    monkeypatch.setattr("unitscope.index.merge.classes.CONFUSIONS", 2)
    made = synthetic.make_store(tmp_path / "store")
    for row, expected in zip(read(made, "classes.parquet").to_pylist(), oracle_classes(made), strict=True):
        assert row["confusions"] == expected["confusions"][:2]
        assert len(expected["confusions"]) > 2


def test_float16_maxima(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", maxima_type=pa.float16(), kinds=("real",) * 3)
    row = read(made, "strongest/part-00000.parquet")["units"][0].as_py()
    got = [(one["unit"], one["value"]) for one in row if one["layer"] == 0]
    assert got == [(unit, value) for unit, value, _ in oracle_scores(made, 0, 0)[:8]]
    assert Store.open(made.url).class_means("head", 2) == pytest.approx(
        list(oracle_means(made, 2, 2).values())
    )


def test_all_images_of_a_part_failed(synthetic, tmp_path):
    made = synthetic.make_store(tmp_path / "store", images=64, shards_per_part=1, failed=range(32))
    assert read(made, "strongest/part-00000.parquet")["units"].null_count == 32
    assert read(made, "strongest/part-00001.parquet")["units"].null_count == 0
    made = synthetic.make_store(tmp_path / "none", images=10, failed=range(10))
    assert read(made, "strongest/part-00000.parquet")["units"].null_count == 10
    assert read(made, "selectivity.parquet")["selectivity"].null_count == 61
    assert set(read(made, "classes.parquet")["images"].to_pylist()) == {0}
