"""Facts about classes: how well each is recognised, what it is taken for, its units and its images.

A class is a distinct label of the dataset; a store whose images have no labels, or too many different ones, has none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from ..common.errors import NotFoundError
from .distribution import strongest_first
from .image_columns import MOST_LABELS, ImageColumns
from .once import OnceCache
from .store import Store
from .unit_facts import UnitFacts

ClassSort = Literal["label", "accuracy", "images", "mean_loss"]
FEATURE_BYTES = 256 << 20
"""Where the features that must be read for a class's typical images are more, these are chosen by loss."""


class Confusion(NamedTuple):
    """How many images of a class were taken for another."""

    predicted: int
    images: int


@dataclass(frozen=True)
class ClassRow:
    """One label. images: that did not fail. label_index: the model's class; without it nothing is right or wrong.

    predicted: how many images of the whole dataset were taken for this class. mean_probability: of whatever each image
    was taken for. confusions: most frequent first, then by class.
    """

    label: str
    label_index: int | None
    images: int
    correct: int | None
    predicted: int | None
    mean_probability: float | None
    mean_loss: float | None
    confusions: tuple[Confusion, ...]

    @property
    def accuracy(self) -> float | None:
        """Share of the images whose prediction is right."""
        return self.correct / self.images if self.correct is not None and self.images else None


class SelectiveUnit(NamedTuple):
    """A unit and the label that it fires most for."""

    layer: str
    unit: int
    label: str
    selectivity: float


class Typical(NamedTuple):
    """by: `feature` for those nearest to the mean feature, `loss` for those with the smallest loss.

    values: the L2 distances, or the losses.
    """

    by: Literal["feature", "loss"]
    image_ids: list[int]
    values: list[float]


class ClassFacts:
    """The classes of one store. Any threads may share it."""

    def __init__(
        self, store: Store, cache: OnceCache, images: Callable[[], ImageColumns], units: UnitFacts
    ) -> None:
        self._store, self._cache, self._images, self._units = store, cache, images, units

    def why_none(self) -> str | None:
        """Why there are no classes; None where there are some."""
        images = self._images()
        if images.too_many:
            return f"the images have more than {MOST_LABELS:,} different labels, which are then no classes"
        return None if images.labels else "the images of this store have no labels"

    def rows(self) -> tuple[ClassRow, ...]:
        """All classes, by label in UTF-8 byte order."""
        return self._cache.get("classes", lambda: _rows(self._images()), lambda rows: 500 * len(rows))

    def ordered(self, sort: ClassSort, *, descending: bool) -> list[ClassRow]:
        """By what is asked; those without a value last, equal ones by label."""
        rows = list(self.rows())
        if sort == "label":
            return rows[::-1] if descending else rows
        values = np.array([np.nan if (v := getattr(row, sort)) is None else v for row in rows], np.float64)
        return [rows[place] for place in np.argsort(-values if descending else values, kind="stable")]

    def find(self, label: str) -> ClassRow:
        """Raises NotFoundError."""
        code = self._code(label)
        if code is None:
            why = self.why_none() or f"there are {', '.join(map(repr, self._images().labels[:20]))}"
            raise NotFoundError(f"no class {label[:200]!r}: {why}")
        return self.rows()[code]

    def find_index(self, label_index: int) -> ClassRow:
        """The first class that the model has under this number. Raises NotFoundError."""
        for row in self.rows():
            if row.label_index == label_index:
                return row
        raise NotFoundError(f"no class of this dataset is number {label_index} of the model's")

    def hardest(self, label: str, n: int) -> list[int]:
        """The image_ids with the largest losses, descending, then by id; none where nothing has a loss."""
        images = self._images()
        return self._by_loss(label, images.loss)[:n]

    def typical(self, label: str, n: int) -> Typical:
        """The images nearest to the mean of the class's features (L2), or where those are too many to read, with the
        smallest losses; equal ones by id."""
        key = ("typical", label, n)
        return self._cache.get(key, lambda: self._typical(label, n), lambda found: 100 * n)

    def selective(self, label: str | None, n: int) -> list[SelectiveUnit]:
        """The most selective units of all layers, of one label or any; equal ones in the layers' order, by number."""
        found = self._cache.get("selective", self._selective, lambda found: 200 * len(found))
        return [unit for unit in found if label in (None, unit.label)][:n]

    def _code(self, label: str) -> int | None:
        labels = self._images().labels
        return labels.index(label) if label in labels else None

    def _members(self, label: str) -> np.ndarray:
        images = self._images()
        return np.flatnonzero(images.ok & (images.codes == self._code(label)))

    def _by_loss(self, label: str, losses: np.ndarray) -> list[int]:
        ids = self._members(label)
        ids = ids[~np.isnan(losses[ids])]
        return ids[strongest_first(losses[ids])].tolist()

    def _typical(self, label: str, n: int) -> Typical:
        ids, features = self._members(label), self._store.features
        if features.bytes_of(ids) > FEATURE_BYTES:
            losses = self._images().loss
            chosen = self._by_loss(label, -losses)[:n]
            return Typical("loss", chosen, losses[chosen].tolist())
        values = features.at(ids)
        mean = values.mean(axis=0, dtype=np.float64)
        distances = np.array([np.sqrt(((row - mean) ** 2).sum()) for row in values], np.float32)
        order = strongest_first(-distances)[:n]
        return Typical("feature", ids[order].tolist(), distances[order].tolist())

    def _selective(self) -> list[SelectiveUnit]:
        found: list[SelectiveUnit] = []
        for layer in self._store.layers:
            units = self._units.layer(layer.layer)
            for unit, (value, label) in enumerate(
                zip(units.values["selectivity"], units.labels, strict=True)
            ):
                if label is not None and not np.isnan(value):
                    found.append(SelectiveUnit(layer.layer, unit, label, float(value)))
        return sorted(found, key=lambda unit: -unit.selectivity)


def _rows(images: ImageColumns) -> tuple[ClassRow, ...]:
    chosen = images.ok & (images.codes >= 0)
    codes, predicted = images.codes[chosen], images.predicted[chosen]
    everywhere = np.bincount(images.predicted[images.ok & (images.predicted >= 0)])
    order = np.argsort(codes, kind="stable")
    stops = np.searchsorted(codes[order], np.arange(len(images.labels) + 1))
    rows: list[ClassRow] = []
    for code, label in enumerate(images.labels):
        members = order[stops[code] : stops[code + 1]]
        index = _most_frequent(images.label_index[chosen][members])
        rows.append(
            ClassRow(
                label=label,
                label_index=index,
                images=len(members),
                correct=None if index is None else int((predicted[members] == index).sum()),
                predicted=None if index is None else int(everywhere[index]) if index < len(everywhere) else 0,
                mean_probability=_mean(images.probability[chosen][members]),
                mean_loss=_mean(images.loss[chosen][members]),
                confusions=_confusions(predicted[members], index),
            )
        )
    return tuple(rows)


def _most_frequent(indices: np.ndarray) -> int | None:
    known = indices[indices >= 0]
    return int(np.bincount(known).argmax()) if len(known) else None


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else None


def _confusions(predicted: np.ndarray, index: int | None) -> tuple[Confusion, ...]:
    counts = np.bincount(predicted[predicted >= 0])
    if index is not None and index < len(counts):
        counts[index] = 0
    order = np.argsort(-counts, kind="stable")
    return tuple(Confusion(int(one), int(counts[one])) for one in order if counts[one])
