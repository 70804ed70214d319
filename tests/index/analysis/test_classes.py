"""Statistics of classes against plain loops over the images."""

import numpy as np
import pytest
from altered_stores import altered, relabel
from unitscope.common.errors import NotFoundError
from unitscope.index.analysis import classes as class_facts
from unitscope.index.analysis.analysis import Analysis
from unitscope.index.store.store import Store

ODD = ("größe/klein", "zebra", "a/b c?", "", "😀")
"""Labels that are hard on addresses and on orders."""


def _odd(made):
    labels = [None if image % 7 == 0 else ODD[image % len(ODD)] for image in range(200)]
    indices = [ODD.index(label) if label in ODD[:3] else None for label in labels]
    relabel(made, labels, indices)


@pytest.fixture(scope="module", params=["plain", "odd"])
def made(request, synthetic, tmp_path_factory):
    url = tmp_path_factory.mktemp("classes") / "store"
    return synthetic.make_store(url) if request.param == "plain" else altered(synthetic, url, _odd)


@pytest.fixture(scope="module")
def store(made):
    return Store.open(made.url)


@pytest.fixture
def classes(store):
    return Analysis(store).classes


def members(made, label):
    return [row for row in made.images.to_pylist() if row["label"] == label and row["status"] == "ok"]


def labels_of(made):
    return sorted(set(made.images["label"].to_pylist()) - {None}, key=str.encode)


def test_the_rows_are_those_of_the_table(classes, store, made):
    rows = classes.rows()
    assert [row.label for row in rows] == labels_of(made) == store.classes_table()["label"].to_pylist()
    for row in rows:
        images = members(made, row.label)
        right = sum(one["predicted"] == row.label_index for one in images)
        assert row.images == len(images)
        assert (row.correct, row.accuracy) == (
            (None, None) if row.label_index is None else (right, right / len(images))
        )
        wrong = [one["predicted"] for one in images if one["predicted"] != row.label_index]
        counted = sorted((-wrong.count(one), one) for one in set(wrong))
        assert row.confusions == tuple((predicted, -count) for count, predicted in counted)


@pytest.mark.parametrize("sort", ["label", "accuracy", "images", "mean_loss"])
@pytest.mark.parametrize("descending", [True, False])
def test_classes_are_ordered(classes, sort, descending):
    rows = classes.rows()

    def key(row):
        value = getattr(row, sort)
        return (value is None, 0 if value is None else -value if descending else value, row.label.encode())

    expected = sorted(rows, key=key) if sort != "label" else list(rows[::-1] if descending else rows)
    assert classes.ordered(sort, descending=descending) == expected


def test_the_hardest_images_have_the_largest_losses(classes, made):
    for label in labels_of(made):
        images = [row for row in members(made, label) if row["loss"] is not None]
        expected = sorted(images, key=lambda row: (-row["loss"], row["image_id"]))
        for n in (1, 5, 1000):
            assert classes.hardest(label, n) == [row["image_id"] for row in expected[:n]]


def distances(made, label):
    ids = [row["image_id"] for row in members(made, label)]
    features = made.feature[ids].astype(np.float64)
    return {
        image: float(np.float32(np.linalg.norm(one - features.mean(axis=0))))
        for image, one in zip(ids, features, strict=True)
    }


def test_typical_images_are_nearest_to_the_mean_feature(classes, made):
    for label in labels_of(made):
        gaps = distances(made, label)
        expected = sorted(gaps, key=lambda image: (gaps[image], image))
        found = classes.typical(label, 6)
        assert found.by == "feature"
        assert found.image_ids == expected[:6]
        assert found.values == pytest.approx([gaps[image] for image in expected[:6]])
        assert len(classes.typical(label, 1000).image_ids) == len(expected)


def test_typical_images_of_large_classes_have_the_smallest_losses(classes, made, monkeypatch):
    monkeypatch.setattr(class_facts, "FEATURE_BYTES", 100)
    for label in labels_of(made):
        images = [row for row in members(made, label) if row["loss"] is not None]
        expected = sorted(images, key=lambda row: (row["loss"], row["image_id"]))[:4]
        found = classes.typical(label, 4)
        assert found.by == "loss"
        assert found.image_ids == [row["image_id"] for row in expected]
        assert found.values == [row["loss"] for row in expected]


def test_the_most_selective_units_of_all_layers(classes, store, made):
    rows = [
        (-row["selectivity"], number, row["unit"], row["label"])
        for number, layer in enumerate(store.layers)
        for row in store.selectivity(layer.layer).to_pylist()
        if row["label"] is not None
    ]
    for label in (None, *labels_of(made)):
        expected = sorted(row for row in rows if label in (None, row[3]))[:7]
        found = classes.selective(label, 7)
        assert [(-unit.selectivity, unit.layer, unit.unit, unit.label) for unit in found] == [
            (value, store.layers[number].layer, unit, of) for value, number, unit, of in expected
        ]


def test_classes_are_found_by_label_and_by_number(classes):
    for row in classes.rows():
        assert classes.find(row.label) == row
        if row.label_index is not None:
            assert classes.find_index(row.label_index).label_index == row.label_index
    for ask, what in ((classes.find, "nobody"), (classes.find_index, 77)):
        with pytest.raises(NotFoundError, match=str(what)):
            ask(what)


def test_without_labels_there_are_no_classes(synthetic, tmp_path):
    made = altered(synthetic, tmp_path / "store", lambda made: relabel(made, [None] * 200))
    classes = Analysis(Store.open(made.url)).classes
    assert (classes.rows(), classes.selective(None, 9)) == ((), [])
    assert "no labels" in classes.why_none()
    with pytest.raises(NotFoundError, match="no labels"):
        classes.find("cat")


def test_too_many_labels_are_no_classes(synthetic, tmp_path, monkeypatch):
    from unitscope.index.merge import labels as label_numbers

    monkeypatch.setattr(label_numbers, "LABELS_LIMIT", 3)
    made = synthetic.make_store(tmp_path / "store")
    classes = Analysis(Store.open(made.url)).classes
    assert classes.rows() == ()
    assert "4 different labels" in classes.why_none()


def test_an_older_store_says_that_it_is_one(synthetic, tmp_path):
    from unitscope.index.format.manifest import Manifest

    made = synthetic.make_store(tmp_path / "store")
    manifest = Manifest.read(made.folder)
    for path in list(manifest.files):
        if path.startswith(("classes", "selectivity", "strongest")):
            del manifest.files[path]
    manifest.write(made.folder)
    facts = Analysis(Store.open(made.url))
    assert "older release" in facts.classes.why_none()
    assert facts.units.layer("features.0").ranked["selectivity"] == 0
    assert len(facts.similar.of("features.0", 3).units)


def test_a_label_whose_images_all_failed(synthetic, tmp_path):
    def lonely(made):
        relabel(made, ["alone" if image == 5 else "others" for image in range(200)])

    classes = Analysis(Store.open(altered(synthetic, tmp_path / "store", lonely).url)).classes
    alone = classes.find("alone")
    assert (alone.images, alone.accuracy, alone.confusions) == (0, None, ())
    assert classes.hardest("alone", 3) == []
    assert classes.typical("alone", 3).image_ids == []
