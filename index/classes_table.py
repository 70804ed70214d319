"""Writes `classes.parquet`: how often the images of each label were swept, right, and taken for what."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import ImageStatus
from .files import Folder
from .label_numbers import NO_LABEL, LabelNumbers, label_numbers
from .merged import Merged, Part, resume
from .parquet_files import table_file, text_settings
from .schema import CLASSES, CLASSES_SCHEMA, CONFUSION_TYPE, IMAGES, part_path

CONFUSIONS = 100
"""Predicted classes that are kept of a label, at most."""

_COLUMNS = ("label_index", "predicted", "probability", "loss", "status")
_NONE = -1
"""Stands for a null class."""


def write_classes(folder: Folder, parts: Sequence[Part]) -> Merged:
    """Writes `classes.parquet`: a row for each label, none where there are more than `label_numbers.LABELS_LIMIT`.

    Needs `note_labels` and every `write_images` done. Holds one row group of images/ and the confusions.
    """
    return resume(folder, "classes", lambda: _write(folder, parts))


def _write(folder: Folder, parts: Sequence[Part]) -> Merged:
    names = label_numbers(folder, parts[0]).names
    counts = _Counts(len(names))
    for part in parts:
        for labels, columns in _blocks(folder, part):
            counts.add(labels, columns)
    with table_file(folder, CLASSES, CLASSES_SCHEMA, text_settings()) as table:
        table.write(pa.table([pa.array(names, pa.string()), *counts.columns()], schema=CLASSES_SCHEMA))
    return Merged(table.record)


def _blocks(folder: Folder, part: Part) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """(label numbers, columns of images/) of each row group; _NONE for null classes, NaN for null numbers."""
    noted: LabelNumbers = label_numbers(folder, part)
    with folder.open(part_path(IMAGES, part.number)) as source, pq.ParquetFile(source) as images:
        first = 0
        for group in range(images.num_row_groups):
            table = images.read_row_group(group, columns=list(_COLUMNS), use_threads=False)
            columns = {name: table[name].fill_null(_NONE).to_numpy() for name in ("label_index", "predicted")}
            columns |= {name: table[name].to_numpy().astype(np.float64) for name in ("probability", "loss")}
            columns["ok"] = np.array(table["status"].to_pylist()) == ImageStatus.OK.value
            yield noted.numbers[first : first + table.num_rows], columns
            first += table.num_rows


class _Counts:
    """Sums and counts by label, over images in their order."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._index = np.full(labels, _NONE, np.int32)
        self._images = np.zeros(labels, np.int64)
        self._probability, self._loss = _Mean(labels), _Mean(labels)
        self._predicted, self._pairs = _Tally(), _Tally()

    def add(self, labels: np.ndarray, columns: dict[str, np.ndarray]) -> None:
        """The next images. labels: (images,) integer; columns: as `_blocks` gives them."""
        known = (labels != NO_LABEL) & (columns["label_index"] != _NONE)
        self._index[labels[known]] = columns["label_index"][known]
        predicted = columns["ok"] & (columns["predicted"] != _NONE)
        self._predicted.add(columns["predicted"][predicted].astype(np.int64))
        swept = columns["ok"] & (labels != NO_LABEL)
        self._images += np.bincount(labels[swept], minlength=self._labels)
        self._probability.add(labels[swept], columns["probability"][swept])
        self._loss.add(labels[swept], columns["loss"][swept])
        pairs = swept & predicted
        self._pairs.add(labels[pairs].astype(np.int64) << 32 | columns["predicted"][pairs])

    def columns(self) -> list[pa.Array]:
        """All columns but `label`."""
        unknown = self._index == _NONE
        counts = dict(zip(self._predicted.keys.tolist(), self._predicted.counts.tolist(), strict=True))
        taken = np.array([counts.get(index, 0) for index in self._index.tolist()], np.int64)
        labels, predicted = self._pairs.keys >> 32, self._pairs.keys & (2**32 - 1)
        right = predicted == self._index[labels]
        correct = np.zeros(self._labels, np.int64)
        correct[labels[right]] = self._pairs.counts[right]
        unjudged = unknown | (not counts)
        return [
            pa.array(self._index, mask=unknown),
            pa.array(self._images),
            pa.array(correct, mask=unjudged),
            pa.array(taken, mask=unjudged),
            self._probability.column(),
            self._loss.column(),
            self._confusions(labels[~right], predicted[~right], self._pairs.counts[~right]),
        ]

    def _confusions(self, labels: np.ndarray, predicted: np.ndarray, images: np.ndarray) -> pa.ListArray:
        """(labels,) list<CONFUSION_TYPE>: the most frequent first, then by the predicted class. labels: ascending."""
        order = np.lexsort((predicted, -images, labels))
        starts = np.searchsorted(labels, np.arange(self._labels + 1))
        kept = np.arange(len(order)) - starts[labels] < CONFUSIONS
        order = order[kept]
        structs = pa.StructArray.from_arrays(
            [pa.array(predicted[order].astype(np.int32)), pa.array(images[order])],
            fields=list(CONFUSION_TYPE),
        )
        offsets = np.searchsorted(labels[kept], np.arange(self._labels + 1)).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), structs)


class _Tally:
    """How often each key was there. keys: (n,) int64, ascending; counts: (n,) int64."""

    def __init__(self) -> None:
        self.keys, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def add(self, keys: np.ndarray) -> None:
        """keys: (m,) int64, in any order."""
        more, counts = np.unique(keys, return_counts=True)
        both = np.union1d(self.keys, more)
        total = np.zeros(len(both), np.int64)
        total[np.searchsorted(both, self.keys)] = self.counts
        total[np.searchsorted(both, more)] += counts
        self.keys, self.counts = both, total


class _Mean:
    """Means by label of the values that are there."""

    def __init__(self, labels: int) -> None:
        self._sums, self._images = np.zeros(labels), np.zeros(labels, np.int64)

    def add(self, labels: np.ndarray, values: np.ndarray) -> None:
        """values: (images,) float64; NaN is left out."""
        there = ~np.isnan(values)
        self._sums += np.bincount(labels[there], weights=values[there], minlength=len(self._sums))
        self._images += np.bincount(labels[there], minlength=len(self._sums))

    def column(self) -> pa.Array:
        """Null where no value was there."""
        return pa.array(self._sums / np.maximum(self._images, 1), mask=self._images == 0)
