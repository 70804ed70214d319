"""Writes `classes.parquet`: how often the images of each label were swept, predicted correctly, and as what else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import ImageStatus
from ..format.files import CLASSES, IMAGES, part_path
from ..format.parquet_writer import table_file, text_settings
from ..format.schema import CLASSES_SCHEMA, CONFUSION_TYPE
from ..labels.codes import LabelCodes
from ..labels.columns import LABEL_INDICES, LABEL_PROBABILITIES, LIST_COLUMNS, PREDICTED_CLASSES, list_pairs
from ..storage.folder import Folder
from .labels import LabelNumbers, label_numbers
from .notes import Merged, Part, resume

CONFUSIONS = 100
"""Predicted classes that are kept of a label, at most."""

_COLUMNS = ("label_index", "predicted", "probability", "loss", "status")
_NONE = -1
"""Stands for a null class."""


def write_classes(folder: Folder, parts: Sequence[Part]) -> Merged:
    """Write `classes.parquet`: a row for each label, none where there are more than `label_numbers.LABELS_LIMIT`.

    Needs `note_labels` and every `write_images` done. Holds one row group of images/ and the confusions.
    """
    return resume(folder, "classes", lambda: _write(folder, parts))


def _write(folder: Folder, parts: Sequence[Part]) -> Merged:
    names = label_numbers(folder, parts[0]).names
    counts = _Counts(len(names))
    for part in parts:
        for block in _blocks(folder, part):
            counts.add(block)
    with table_file(folder, CLASSES, CLASSES_SCHEMA, text_settings()) as table:
        table.write(pa.table([pa.array(names, pa.string()), *counts.columns()], schema=CLASSES_SCHEMA))
    return Merged(table.record)


@dataclass(frozen=True)
class _Block:
    """Some images as pairs with their labels, and with the classes that are predicted of them.

    ok: (images,) bool. rows: (pairs,) int64, the place of each label's image, ascending. labels: (pairs,) int, the
    labels' numbers; classes: (pairs,) int32, the model's class of each, _NONE for none. probability, loss: (pairs,)
    float64, NaN for null. predicted_rows, predicted: (predictions,), the place of each image, ascending, and the class.
    """

    ok: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    probability: np.ndarray
    loss: np.ndarray
    predicted_rows: np.ndarray
    predicted: np.ndarray

    @staticmethod
    def of(table: pa.Table, noted: LabelCodes) -> "_Block":
        """Count the classes. table: rows of images/; noted: the labels of these."""
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        ok = np.array(columns["status"].to_pylist()) == ImageStatus.OK.value
        rows, labels = noted.pairs()
        loss = columns["loss"].to_numpy(zero_copy_only=False).astype(np.float64)[rows]
        if LABEL_INDICES in columns:
            classes = list_pairs(columns[LABEL_INDICES])[1].fill_null(_NONE).to_numpy()[: len(rows)]
        else:
            classes = columns["label_index"].fill_null(_NONE).to_numpy()[rows]
        if PREDICTED_CLASSES in columns:
            probability = np.full(len(rows), np.nan)
            if len(rows):  # none where there are too many labels
                own = list_pairs(columns[LABEL_PROBABILITIES])[1]
                probability[ok[rows]] = own.to_numpy(zero_copy_only=False)
            predicted_rows, predicted = list_pairs(columns[PREDICTED_CLASSES])
            predicted = predicted.to_numpy()
        else:
            probability = columns["probability"].to_numpy(zero_copy_only=False).astype(np.float64)[rows]
            every = columns["predicted"].fill_null(_NONE).to_numpy()
            predicted_rows = np.flatnonzero(ok & (every != _NONE))
            predicted = every[predicted_rows]
        return _Block(ok, rows, labels, classes, probability, loss, predicted_rows, predicted)

    def swept(self) -> "_Block":
        """Return the same without the labels of images that failed."""
        kept = self.ok[self.rows]
        return replace(
            self,
            rows=self.rows[kept],
            labels=self.labels[kept],
            classes=self.classes[kept],
            probability=self.probability[kept],
            loss=self.loss[kept],
        )

    def confusions(self) -> np.ndarray:
        """Return label << 32 | class for each label of an image and each class predicted of it, (n,) int64.

        Without the classes of the image's other labels, which are no confusion.
        """
        starts = np.searchsorted(self.predicted_rows, self.rows)
        counts = np.searchsorted(self.predicted_rows, self.rows, side="right") - starts
        pair = np.repeat(np.arange(len(self.rows)), counts)
        place = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[pair]
        predicted = self.predicted[place].astype(np.int64)
        own = self.classes[pair] == predicted
        of_image = np.isin(self.rows[pair] << 32 | predicted, self._labelled())
        kept = own | ~of_image
        return self.labels[pair[kept]].astype(np.int64) << 32 | predicted[kept]

    def _labelled(self) -> np.ndarray:
        known = self.classes != _NONE
        return self.rows[known] << 32 | self.classes[known].astype(np.int64)


def _blocks(folder: Folder, part: Part) -> Iterator[_Block]:
    """Yield each row group of images/."""
    noted: LabelNumbers = label_numbers(folder, part)
    with folder.open(part_path(IMAGES, part.number)) as source, pq.ParquetFile(source) as images:
        lists = [name for name in LIST_COLUMNS if name in images.schema_arrow.names]
        first = 0
        for group in range(images.num_row_groups):
            table = images.read_row_group(group, columns=[*_COLUMNS, *lists], use_threads=False)
            yield _Block.of(table, noted.labels.slice(first, table.num_rows))
            first += table.num_rows


class _Counts:
    """Sums and counts by label, over images in their order."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._index = np.full(labels, _NONE, np.int32)
        self._images = np.zeros(labels, np.int64)
        self._probability, self._loss = _Mean(labels), _Mean(labels)
        self._predicted, self._pairs = _Tally(), _Tally()

    def add(self, block: _Block) -> None:
        """Add the next images."""
        known = block.classes != _NONE
        self._index[block.labels[known]] = block.classes[known]
        self._predicted.add(block.predicted.astype(np.int64))
        swept = block.swept()
        self._images += np.bincount(swept.labels, minlength=self._labels)
        self._probability.add(swept.labels, swept.probability)
        self._loss.add(swept.labels, swept.loss)
        self._pairs.add(swept.confusions())

    def columns(self) -> list[pa.Array]:
        """Return all columns but `label`."""
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
        """Return (labels,) list<CONFUSION_TYPE>: the most frequent first, then by the predicted class. labels:
        ascending.
        """
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
        """Add keys. keys: (m,) int64, in any order."""
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
        """Add values. values: (images,) float64; NaN is left out."""
        there = ~np.isnan(values)
        self._sums += np.bincount(labels[there], weights=values[there], minlength=len(self._sums))
        self._images += np.bincount(labels[there], minlength=len(self._sums))

    def column(self) -> pa.Array:
        """Return null where no value was there."""
        return pa.array(self._sums / np.maximum(self._images, 1), mask=self._images == 0)
