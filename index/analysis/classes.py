"""Statistics of classes: how well each is recognised, its confusions, its units and its images.

A class is a label of the dataset, a row of classes.parquet; a store whose images have no labels, or too many different
ones, has none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from ...common.errors import NotFoundError
from ..caching.once import OnceCache
from ..format.schema import LABELS_LIMIT
from ..neighbors.exact import chunks
from ..stats.distribution import strongest_first
from ..store.store import Store
from .images import ImageColumns
from .units import UnitAnalysis

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

    predicted: of how many images of the whole dataset this class is predicted. mean_probability: of whatever is
    predicted of each image; by a multi-label model, of this class. confusions: most frequent first, then by class.
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


class ClassAnalysis:
    """The classes of one store. Any threads may share it."""

    def __init__(
        self, store: Store, cache: OnceCache, images: Callable[[], ImageColumns], units: UnitAnalysis
    ) -> None:
        self._store, self._cache, self._images, self._units = store, cache, images, units

    def why_none(self) -> str | None:
        """Return why there are no classes; None where there are some."""
        if self.rows():
            return None
        if self._store.classes_table() is None:
            return "an older release made this store and kept nothing by class; sweep again into a new folder"
        labels = int(self._store.manifest.counts.get("labels", 0))
        if labels:
            limit = f"with more than {LABELS_LIMIT:,} nothing is kept by class"
            return f"the images have {labels:,} different labels: {limit}"
        return "the images of this store have no labels"

    def rows(self) -> tuple[ClassRow, ...]:
        """Return all classes, by label in UTF-8 byte order."""
        return self._cache.get(
            "classes", self._rows, lambda rows: sum(500 + 150 * len(row.confusions) for row in rows)
        )

    def ordered(self, sort: ClassSort, *, descending: bool) -> list[ClassRow]:
        """Order by what is asked; those without a value last, equal ones by label."""
        rows = list(self.rows())
        if sort == "label":
            return rows[::-1] if descending else rows
        values = np.array([np.nan if (v := getattr(row, sort)) is None else v for row in rows], np.float64)
        return [rows[place] for place in np.argsort(-values if descending else values, kind="stable")]

    def accuracy(self) -> float | None:
        """Return the share of images that are predicted correctly, of those where that is known."""
        if self._store.list_columns:
            right = self._images().right
            right = right[~np.isnan(right)]
            return float(right.mean()) if len(right) else None
        rows = [row for row in self.rows() if row.accuracy is not None]
        known = sum(row.images for row in rows)
        return sum(row.correct or 0 for row in rows) / known if known else None

    def find(self, label: str) -> ClassRow:
        """Raise NotFoundError."""
        code = self._code(label)
        if code is None:
            why = self.why_none() or f"there are {', '.join(map(repr, self._images().labels[:20]))}"
            raise NotFoundError(f"no class {label[:200]!r}: {why}")
        return self.rows()[code]

    def find_index(self, label_index: int) -> ClassRow:
        """Return the first class that the model has under this number. Raises NotFoundError."""
        for row in self.rows():
            if row.label_index == label_index:
                return row
        raise NotFoundError(f"no class of this dataset is number {label_index} of the model's")

    def hardest(self, label: str, n: int) -> list[int]:
        """Return the image_ids with the largest losses, descending, then by id; none where nothing has a loss."""
        images = self._images()
        return self._by_loss(label, images.loss)[:n]

    def typical(self, label: str, n: int) -> Typical:
        """Return the images nearest to the mean of the class's features (L2), or where those are too many to read, with
        the smallest losses; equal ones by id.
        """
        key = ("typical", label, n)
        return self._cache.get(key, lambda: self._typical(label, n), lambda found: 100 * n)

    def selective(self, label: str | None, n: int) -> list[SelectiveUnit]:
        """Return the most selective units of all layers, of one label or any; equal ones in the layers' order, by
        number.
        """
        found = self._cache.get("selective", self._selective, lambda found: 200 * len(found))
        return [unit for unit in found if label in (None, unit.label)][:n]

    def _rows(self) -> tuple[ClassRow, ...]:
        table = self._store.classes_table()
        return () if table is None else tuple(map(_row, table.to_pylist()))

    def _code(self, label: str) -> int | None:
        labels = self._images().labels
        return labels.index(label) if label in labels else None

    def _members(self, label: str) -> np.ndarray:
        images, code = self._images(), self._code(label)
        if code is None:
            return np.zeros(0, np.int64)
        ids = images.codes.items_of(code)
        return ids[images.ok[ids]]

    def _by_loss(self, label: str, losses: np.ndarray) -> list[int]:
        ids = self._members(label)
        ids = ids[~np.isnan(losses[ids])]
        return ids[strongest_first(losses[ids])].tolist()

    def _typical(self, label: str, n: int) -> Typical:
        ids, features = self._members(label), self._store.features
        if not len(ids):
            return Typical("feature", [], [])
        if features.bytes_of(ids) > FEATURE_BYTES:
            losses = self._images().loss
            chosen = self._by_loss(label, -losses)[:n]
            return Typical("loss", chosen, losses[chosen].tolist())
        values = features.at(ids)
        mean = values.mean(axis=0, dtype=np.float64)
        distances = np.empty(len(ids), np.float32)
        for start, stop in chunks(len(ids), features.width):
            gaps = values[start:stop] - mean
            distances[start:stop] = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
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


def _row(row: dict[str, Any]) -> ClassRow:
    found = (Confusion(**one) for one in row.pop("confusions"))
    return ClassRow(**row, confusions=tuple(found))
