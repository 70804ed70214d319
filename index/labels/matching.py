"""`LabelMap`: the dataset's labels as the model's classes, by rules that never count folders.

The rules, in this order; the first that applies is the only one, but for 5 and 6, which go together:

1. `--classes FILE`: what the file says, and nothing else.
2. A Hugging Face ClassLabel whose names are the model's classes (in any order): by name.
3. A ClassLabel in ImageNet's standard order, where the model's classes are ImageNet's too (their names differ in
   synonyms): by the ClassLabel's index.
4. A ClassLabel with as many names as the model has outputs, where the model has no class names: by its index.
5. A label that is the name of exactly one of the model's classes: that class.
6. A label that is the WordNet id of an ImageNet class, where the model has ImageNet's 1,000 outputs: that class.
7. Where all labels are integers that can be numbers of the model's classes, and no class has such a name: those numbers
   (a Parquet column of integers, WebDataset's `.cls`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from ...common.errors import UsageError
from .summary import LabelFacts

IMAGENET_CLASSES = 1000

_ANCHORS = {
    0: "tench",
    1: "goldfish",
    99: "goose",
    207: "golden retriever",
    281: "tabby",
    388: "giant panda",
    562: "fountain",
    701: "parachute",
    817: "sports car",
    963: "pizza",
    999: "toilet tissue",
}
"""What the names of some ImageNet classes hold in every list of them: tells whether a list is ImageNet's."""

_FORMAT = (
    "The file has one line per class of the model, in the model's order: the dataset's label for it, or "
    'label<TAB>name; or it is a JSON object {"label": index, …}.'
)


@dataclass(frozen=True)
class LabelMap:
    """indices: label → class index of the model. source: which rule made it, as a sentence for the log.

    names: what the model's classes are called by this rule, None where it does not say. wnids: whether labels that are
    WordNet ids are ImageNet's classes.
    """

    indices: Mapping[str, int]
    source: str
    names: tuple[str, ...] | None = None
    wnids: bool = False

    def index(self, label: str | None) -> int | None:
        """Return the model's class for a label; None for an image without a label, or one that no class has."""
        return None if label is None else self.indices.get(label)


def resolve_labels(
    *,
    class_names: Sequence[str] | None,
    model_classes: Sequence[str] | None,
    classes_file: str | None,
    outputs: int | None,
    facts: LabelFacts | None = None,
) -> LabelMap:
    """Return the label map for a dataset and a model.

    class_names: the names of the dataset's ClassLabel; model_classes: the model's own, in its order;
    classes_file: the path of `--classes`; outputs: how many classes the model scores; each None where there is none.
    facts: of the dataset's labels, where they are known.

    raises: UsageError for a file that cannot be read, or does not fit the model.
    """
    if outputs is None and model_classes is not None:
        outputs = len(model_classes)
    if classes_file is not None:
        indices, names = _read_classes(Path(classes_file), outputs)
        return LabelMap(indices, f"{len(indices)} labels from {classes_file} (--classes).", names)
    if class_names is not None:
        found = _by_class_label(class_names, model_classes, outputs)
        if found is not None:
            return found
    if facts is not None and outputs is not None and facts.integers_below(outputs):
        numbers = {str(index): index for index in range(outputs)}
        if not numbers.keys() & set(model_classes or ()):
            return LabelMap(
                numbers, f"labels that are integers, as the numbers of the model's {outputs} classes."
            )
    return _by_name(model_classes, outputs)


@cache
def imagenet_wnids() -> tuple[str, ...]:
    """Return the WordNet ids of ImageNet's 1,000 classes in the standard order.

    From timm's `data/_info/imagenet_synsets.txt` (Apache-2.0, Ross Wightman).
    """
    return tuple((files(__package__ or "") / "imagenet_wnids.txt").read_text(encoding="ascii").split())


@cache
def imagenet_names() -> tuple[str, ...]:
    """Return what ImageNet's 1,000 classes are called, in the standard order.

    From torchvision's `models/_meta.py` (BSD-3-Clause).
    """
    return tuple((files(__package__ or "") / "imagenet_names.txt").read_text(encoding="utf-8").splitlines())


def shown_classes(
    model_classes: Sequence[str] | None, found: LabelMap, labels: Set[str]
) -> tuple[str, ...] | None:
    """Return what the model's classes are called, None where nothing says.

    By the model itself, WordNet ids of ImageNet by the words for them; else by the rule that maps the labels. labels:
    of the dataset.
    """
    if model_classes is not None:
        words = dict(zip(imagenet_wnids(), imagenet_names(), strict=True))
        all_wnids = bool(model_classes) and all(name in words for name in model_classes)
        return tuple(words[name] if all_wnids else name for name in model_classes)
    if found.names is None and found.wnids and found.indices.keys() & labels:
        return imagenet_names()
    return found.names


def _by_class_label(
    class_names: Sequence[str], model_classes: Sequence[str] | None, outputs: int | None
) -> LabelMap | None:
    count = len(class_names)
    if model_classes is not None and Counter(class_names) == Counter(model_classes):
        return LabelMap(
            _distinct(model_classes), f"the dataset's ClassLabel, whose {count} names are the model's."
        )
    if outputs != count or (outputs == IMAGENET_CLASSES and set(class_names) == set(imagenet_wnids())):
        return None
    if model_classes is None:
        return LabelMap(
            _distinct(class_names),
            f"the order of the dataset's ClassLabel, which has {count} names as the model has outputs "
            "(the model has no class names to compare; --classes FILE overrides this).",
            tuple(class_names),
        )
    if _is_imagenet(class_names) and _is_imagenet(model_classes):
        return LabelMap(_distinct(class_names), "the order of the dataset's ClassLabel, which is ImageNet's.")
    return None


def _by_name(model_classes: Sequence[str] | None, outputs: int | None) -> LabelMap:
    names = _distinct(model_classes or ())
    wnids: dict[str, int] = {}
    if outputs == IMAGENET_CLASSES and (model_classes is None or _is_imagenet(model_classes)):
        wnids = {wnid: index for index, wnid in enumerate(imagenet_wnids())}
    rules: list[str] = []
    if names:
        rules.append(f"labels that are the name of one of the model's {len(model_classes or ())} classes")
    if wnids:
        rules.append("WordNet ids of ImageNet's classes")
    if not rules:
        return LabelMap(
            {},
            "none: the model has no class names; to have losses and errors, give --classes FILE. " + _FORMAT,
        )
    return LabelMap(wnids | names, f"{', and '.join(rules)}; other labels have no class.", wnids=bool(wnids))


def _is_imagenet(names: Sequence[str]) -> bool:
    """Return whether these are ImageNet's classes in the standard order: other datasets have 1,000 classes too."""
    if len(names) != IMAGENET_CLASSES:
        return False
    return tuple(names) == imagenet_wnids() or all(word in names[i].lower() for i, word in _ANCHORS.items())


def _distinct(names: Sequence[str]) -> dict[str, int]:
    """Name → index, without names that stand twice (ImageNet has two cranes): they say no class."""
    counts = Counter(names)
    return {name: index for index, name in enumerate(names) if counts[name] == 1}


def _read_classes(path: Path, outputs: int | None) -> tuple[dict[str, int], tuple[str, ...] | None]:
    """Return label → class, and what the classes are called: None where the file has not one for each of the
    model's.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--classes {path} cannot be read as text: {error}. {_FORMAT}") from error
    if text.lstrip().startswith("{"):
        indices = _from_json(text, path, outputs)
        first = {index: label for label, index in reversed(indices.items())}
        complete = sorted(first) == list(range(len(first) if outputs is None else outputs))
        return indices, tuple(first[index] for index in sorted(first)) if complete else None
    lines = text.rstrip().split("\n") if text.strip() else []
    names = [line.split("\t")[-1].strip() or line.split("\t")[0].strip() for line in lines]
    return _from_lines(lines, path, outputs), tuple(names)


def _from_lines(lines: list[str], path: Path, outputs: int | None) -> dict[str, int]:
    labels = [line.split("\t")[0].strip() for line in lines]
    if outputs is not None and len(labels) != outputs:
        raise UsageError(
            f"--classes {path} has {len(labels)} lines, but the model has {outputs} outputs. {_FORMAT}"
        )
    indices: dict[str, int] = {}
    for index, label in enumerate(labels):
        if not label:
            raise UsageError(f"--classes {path}, line {index + 1}: there is no label. {_FORMAT}")
        if label in indices:
            raise UsageError(
                f"--classes {path}: label {label!r} stands in lines {indices[label] + 1} and {index + 1}. "
                "Each label has one class; remove one of them, or use the JSON form."
            )
        indices[label] = index
    if not indices:
        raise UsageError(f"--classes {path} is empty. {_FORMAT}")
    return indices


def _from_json(text: str, path: Path, outputs: int | None) -> dict[str, int]:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        twice = [label for label, count in Counter(label for label, _ in pairs).items() if count > 1]
        if twice:
            raise UsageError(
                f"--classes {path}: label {twice[0]!r} stands there twice. Each label has one class."
            )
        return dict(pairs)

    try:
        found: dict[str, object] = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--classes {path} is not valid JSON: {error}. {_FORMAT}") from error
    return {label: _class_index(label, index, path, outputs) for label, index in found.items()}


def _class_index(label: str, index: object, path: Path, outputs: int | None) -> int:
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise UsageError(
            f"--classes {path}: label {label!r} has {index!r}, which is not a class index. {_FORMAT}"
        )
    if outputs is not None and index >= outputs:
        raise UsageError(
            f"--classes {path}: label {label!r} has class {index}; the model has 0 … {outputs - 1}."
        )
    return index
