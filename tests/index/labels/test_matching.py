"""Labels become classes by rule, never by the folder's rank."""

import importlib.util
import json
from pathlib import Path

import pytest
from unitscope.common.errors import UsageError
from unitscope.index.labels.matching import imagenet_names, imagenet_wnids, resolve_labels, shown_classes

CLASSES = ("cat", "dog", "eel")


def resolve(class_names=None, model_classes=None, classes_file=None, outputs=None):
    return resolve_labels(
        class_names=class_names, model_classes=model_classes, classes_file=classes_file, outputs=outputs
    )


def indices(labels, *names):
    return [labels.index(name) for name in names]


def synonyms(separator=", "):
    """1,000 names that hold ImageNet's own where the rule looks."""
    from unitscope.index.labels import matching as labels

    return [f"{labels._ANCHORS.get(index, 'thing')}{separator}synonym {index}" for index in range(1000)]  # pyright: ignore


def test_names_of_the_models_classes():
    labels = resolve(model_classes=CLASSES, outputs=3)
    assert indices(labels, "dog", "cat", "fox", "Dog", None) == [1, 0, None, None, None]
    assert "3 classes" in labels.source


def test_never_by_rank():
    labels = resolve(outputs=3)
    assert indices(labels, "cat", "dog", "eel", "0") == [None] * 4
    assert "--classes" in labels.source


def test_names_that_stand_twice_are_no_match():
    labels = resolve(model_classes=("crane", "bird", "crane"), outputs=3)
    assert indices(labels, "crane", "bird") == [None, 1]


def test_a_class_label_with_the_models_names_goes_by_name():
    labels = resolve(class_names=("eel", "cat", "dog"), model_classes=CLASSES, outputs=3)
    assert indices(labels, "eel", "cat", "dog") == [2, 0, 1]
    assert "ClassLabel" in labels.source


def test_a_class_label_goes_by_its_order_where_the_model_has_no_names():
    labels = resolve(class_names=("eel", "cat", "dog"), outputs=3)
    assert indices(labels, "eel", "cat", "dog") == [0, 1, 2]
    assert resolve(class_names=("eel", "cat"), outputs=3).index("eel") is None


def test_a_class_label_with_other_names_falls_back_to_single_names():
    labels = resolve(class_names=("dog", "unicorn", "cat"), model_classes=CLASSES, outputs=3)
    assert indices(labels, "dog", "unicorn", "cat") == [1, None, 0]


def test_wnids():
    for model_classes in (None, synonyms()):
        labels = resolve(model_classes=model_classes, outputs=1000)
        assert indices(labels, "n01440764", "n01443537", "n15075141", "n00000000") == [0, 1, 999, None]
    assert resolve(outputs=10).index("n01440764") is None
    other = [f"product {index}" for index in range(1000)]
    assert resolve(model_classes=other, outputs=1000).index("n01440764") is None


def test_wnids_in_a_class_label_are_no_order():
    shuffled = list(reversed(imagenet_wnids()))
    assert resolve(class_names=shuffled, outputs=1000).index("n01440764") == 0
    some = shuffled[:10]
    assert resolve(class_names=some, outputs=10).index(some[3]) == 3  # a model of just these classes


def test_imagenets_class_label_meets_imagenet_models_whose_synonyms_differ():
    labels = resolve(class_names=synonyms(" or "), model_classes=synonyms(), outputs=1000)
    assert labels.index("goldfish or synonym 1") == 1 and labels.index("thing or synonym 500") == 500


def test_the_table_is_the_standard_one():
    found = importlib.util.find_spec("timm")  # not imported: it would load torch
    assert found is not None and found.origin is not None
    theirs = (Path(found.origin).parent / "data/_info/imagenet_synsets.txt").read_text().split()
    assert list(imagenet_wnids()) == theirs and len(set(theirs)) == 1000


@pytest.mark.parametrize(
    "text", ["x\ny\nz", "x\ny\nz\n", "x\tCat\ny\tDog\r\nz\n\n", '{"x": 0, "y": 1, "z": 2}']
)
def test_a_file_comes_first(tmp_path, text):
    path = tmp_path / "classes"
    path.write_text(text)
    labels = resolve(class_names=CLASSES, model_classes=CLASSES, classes_file=str(path), outputs=3)
    assert indices(labels, "x", "y", "z", "cat") == [0, 1, 2, None]
    assert str(path) in labels.source


def test_json_may_send_several_labels_to_one_class(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text(json.dumps({"tabby": 0, "persian": 0}))
    assert indices(resolve(classes_file=str(path), outputs=3), "tabby", "persian") == [0, 0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x\ny", "2 lines, but the model has 3"),
        ("x\ny\nx", "lines 1 and 3"),
        ("x\n\nz", "line 2: there is no label"),
        ("", "0 lines"),
        ('{"x": 3}', "0 … 2"),
        ('{"x": -1}', "not a class index"),
        ('{"x": "one"}', "not a class index"),
        ('{"x": true}', "not a class index"),
        ('{"x": 1, "x": 2}', "twice"),
        ('{"x": 1', "JSON"),
    ],
)
def test_files_that_do_not_fit(tmp_path, text, complaint):
    path = tmp_path / "classes"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint) as caught:
        resolve(classes_file=str(path), outputs=3)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        resolve(classes_file=str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(UsageError, match="cannot be read"):
        resolve(classes_file=str(tmp_path / "binary"))


def shown(model_classes, labels, **options):
    found = resolve_labels(
        model_classes=model_classes, **{"class_names": None, "classes_file": None, **options}
    )
    return shown_classes(model_classes, found, set(labels))


def test_imagenet_classes_have_their_words():
    names = imagenet_names()
    assert (len(names), names[0], names[207], names[999]) == (
        1000,
        "tench",
        "golden retriever",
        "toilet tissue",
    )
    wnids = imagenet_wnids()
    assert shown(None, {wnids[3]}, outputs=1000) == names
    assert shown(wnids, {wnids[3]}, outputs=1000) == names
    assert shown(("n01440764", "n02099601"), {"n01440764"}, outputs=2) == ("tench", "golden retriever")
    assert shown(("n01440764", "own"), {"own"}, outputs=2) == ("n01440764", "own")
    assert shown(None, {"cat", "dog"}, outputs=1000) is None  # nothing says that these are ImageNet's


def test_the_rule_that_maps_labels_names_the_classes_that_have_no_names(tmp_path):
    assert shown(None, {"b"}, class_names=["a", "b", "c"], outputs=3) == ("a", "b", "c")
    assert shown(("x", "y", "z"), {"b"}, class_names=["a", "b", "c"], outputs=3) == ("x", "y", "z")
    assert shown(None, {"a"}, class_names=["a", "b"], outputs=3) is None
    file = tmp_path / "classes"
    file.write_text("n1\tcat\nn2\n")
    assert shown(None, {"n1"}, classes_file=str(file), outputs=2) == ("cat", "n2")
    file.write_text('{"cat": 0, "kitten": 0, "dog": 1}')
    assert shown(None, {"cat"}, classes_file=str(file), outputs=2) == ("cat", "dog")
    assert shown(None, {"cat"}, classes_file=str(file), outputs=3) is None
