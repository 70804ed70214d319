"""Finds out which folder of an image's path is its class, and which is its split (train, val, test).

`<class>/…` is the usual layout. `train/<class>/…`, `<class>/train/…` and both below one further folder are told by
the names of the splits; elsewhere an image's label is the first folder of its path.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_SPLITS = {
    "train": ("train", "training", "trainset", "train_set", "training_set", "train_data"),
    "val": ("val", "valid", "validation", "valset", "val_set", "validation_set", "valid_set", "dev", "eval"),
    "test": ("test", "testing", "testset", "test_set", "testing_set", "holdout"),
}
SPLIT_OF = {name: split for split, names in _SPLITS.items() for name in names}
"""The folder's name in lower case → the split that it is."""

_DEPTH = 3
"""Folders of a path that are looked at."""


@dataclass(frozen=True)
class FolderLayout:
    """Where an image's path has its label and its split, as numbers of its folders; None where it has none.

    images: of each split, by the folder's own name.
    """

    label: int | None = 0
    split: int | None = None
    images: dict[str, int] = field(default_factory=dict[str, int])

    def label_of(self, name: str) -> str | None:
        """Return the folder that is the label of the image of this path."""
        return _folder(name, self.label)

    def split_of(self, name: str) -> str | None:
        """Return the folder that is the split of the image of this path."""
        return _folder(name, self.split)

    def describe(self) -> str:
        """Say what is the label, for the log."""
        places = ("first", "second", "third")
        if self.split is None:
            return "the label of an image is the first folder of its path"
        label = "images have no labels" if self.label is None else f"the {places[self.label]} is its label"
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(self.images.items()))
        return f"the {places[self.split]} folder of an image's path is its split ({counts}), {label}"


def _folder(name: str, number: int | None) -> str | None:
    folders = name.split("/")[:-1]
    return folders[number] if number is not None and number < len(folders) else None


def find_layout(folders: Counter[tuple[str, ...]]) -> FolderLayout:
    """Return the layout of a dataset. folders: images by the first folders of their paths, at most `DEPTH`."""
    paths = Counter({path: count for path, count in folders.items() if path})
    if _is_split(paths, 0):
        return _with_class(paths, split=0)
    if paths and len(folders) == len(paths) and _is_split(paths, 1, all_of_them=True):
        return _with_class(paths, split=1)
    return FolderLayout()


def first_folders(name: str) -> tuple[str, ...]:
    """Return the folders of a path that `find_layout` looks at."""
    return tuple(name.split("/", _DEPTH)[:-1][:_DEPTH]) if "/" in name else ()


def _is_split(paths: Iterable[tuple[str, ...]], number: int, *, all_of_them: bool = False) -> bool:
    """Return whether the folders at this place of the paths are splits.

    All are named so, or, at the first place, the training set and another one are among them: `train` alone among
    other folders may be a class of vehicles.
    """
    names = {path[number].lower() if number < len(path) else "" for path in paths}
    known = {SPLIT_OF[name] for name in names if name in SPLIT_OF}
    if names and all(name in SPLIT_OF for name in names):
        return True
    return not all_of_them and "train" in known and len(known) > 1


def _with_class(paths: Counter[tuple[str, ...]], *, split: int) -> FolderLayout:
    images: Counter[str] = Counter()
    for path, count in paths.items():
        images[path[split]] += count
    deeper = any(len(path) > split + 1 for path in paths)
    several = len({path[0] for path in paths}) > 1
    if split and (several or not deeper):
        return FolderLayout(split - 1, split, dict(images))
    return FolderLayout(split + 1 if deeper else None, split, dict(images))
