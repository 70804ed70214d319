"""Which folders of an image's path are its label and its split."""

from collections import Counter

import pytest
from unitscope.index.datasets.folder_layout import find_layout, first_folders
from unitscope.index.datasets.open import open_dataset


def read(*names):
    """(label, split) of each path."""
    layout = find_layout(Counter(map(first_folders, names)))
    return [(layout.label_of(name), layout.split_of(name)) for name in names]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/0.jpg", "dog/deep/1.jpg", "2.jpg"], [("cat", None), ("dog", None), (None, None)]),
        (["train/cat/0.jpg", "val/dog/1.jpg"], [("cat", "train"), ("dog", "val")]),
        (["Training/cat/0.jpg", "Testing/dog/a/1.jpg"], [("cat", "Training"), ("dog", "Testing")]),
        (["train/cat/0.jpg", "valid/dog/1.jpg", "test/2.jpg"], [("cat", "train"), ("dog", "valid"), (None, "test")]),
        (["train/cat/0.jpg", "validation/dog/1.jpg", "unlabeled/u/2.jpg"],
         [("cat", "train"), ("dog", "validation"), ("u", "unlabeled")]),
        (["train/0.jpg", "dev/1.jpg"], [(None, "train"), (None, "dev")]),
        (["train/cat/0.jpg", "train/dog/1.jpg"], [("cat", "train"), ("dog", "train")]),
        (["cat/train/0.jpg", "dog/val/1.jpg"], [("cat", "train"), ("dog", "val")]),
        (["images/train/cat/0.jpg", "images/val/dog/1.jpg"], [("cat", "train"), ("dog", "val")]),
        (["bottle/train/good/0.png", "nut/test/bent/1.png"], [("bottle", "train"), ("nut", "test")]),
        (["bus/0.jpg", "car/1.jpg", "train/2.jpg"], [("bus", None), ("car", None), ("train", None)]),
        (["cat/dev/0.jpg", "dog/1.jpg"], [("cat", None), ("dog", None)]),
    ],
)  # fmt: skip
def test_labels_and_splits(names, expected):
    assert read(*names) == expected


def test_a_folder_with_splits_has_a_column_of_them(tmp_path):
    for name in ("train/cat/0.jpg", "train/cat/Thumbs.db", "val/dog/1.jpg", "README", "metadata.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    dataset = open_dataset(str(tmp_path))
    (batch,) = dataset.batches()
    assert batch["label"].to_pylist() == ["cat", "dog"]
    assert batch["split"].to_pylist() == ["train", "val"]
    assert "the second is its label" in dataset.describe()
    assert dataset.passed_over == {
        ".csv files, which hold no images": 1,
        ".db files, which hold no images": 1,
        "README files, which hold no images": 1,
    }
