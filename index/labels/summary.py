"""What a dataset's labels are, all together: gathered while it is listed, and kept in the manifest."""

import re
from dataclasses import dataclass, replace

import pyarrow as pa

from ..compute import pc
from .columns import LABELS, has_label_lists

COUNTED = 100_000
"""Distinct labels that are counted; of more it is only known that they are more."""
_INTEGER = re.compile(r"0|[1-9]\d{0,8}")


@dataclass(frozen=True)
class LabelFacts:
    """images: of the dataset; labelled: of these, with a label. distinct: labels, at most COUNTED + 1.

    largest_integer: the largest label where all are integers from 0 on, written plainly; else None.
    lists: images have lists of labels. known: of the distinct labels, those that are classes of the model.
    """

    images: int = 0
    labelled: int = 0
    distinct: int = 0
    largest_integer: int | None = None
    lists: bool = False
    known: int = 0

    def integers_below(self, count: int) -> bool:
        """Return whether the labels are integers that can be numbers of so many classes."""
        return self.largest_integer is not None and self.largest_integer < count and self.distinct > 1


def only_ranks(facts: LabelFacts) -> LabelFacts:
    """Return the facts of labels that are text in the dataset, such as names of folders.

    Integers among them are numbers of classes only where these are 0 to 9 at most and none is missing: of more, those
    who train with the folders' names number them 0, 1, 10, 11 …, and of some a class may be missing.
    """
    ranked = facts.largest_integer is not None and facts.distinct == facts.largest_integer + 1 <= 10
    return facts if ranked else replace(facts, largest_integer=None)


class LabelCounter:
    """Gathers the facts from the batches of a dataset."""

    def __init__(self) -> None:
        self._images = self._labelled = 0
        self._lists = False
        self.distinct: set[str] = set()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the images of a batch, which has a column `label`, and `labels` where images have lists of them."""
        self._images += batch.num_rows
        self._count(batch["label"])
        if has_label_lists(batch.schema):
            self._lists = True
            self._labelled += len(batch) - batch[LABELS].null_count
            self._note(batch[LABELS].flatten())

    def _count(self, column: pa.Array) -> None:
        self._labelled += len(column) - column.null_count
        self._note(column)

    def _note(self, column: pa.Array) -> None:
        if len(self.distinct) <= COUNTED:
            self.distinct.update(pc.unique(column.drop_null()).to_pylist())

    def facts(self) -> LabelFacts:
        """Return what was gathered."""
        integers = [int(label) for label in self.distinct if _INTEGER.fullmatch(label)]
        all_integers = bool(integers) and len(integers) == len(self.distinct)
        return LabelFacts(
            images=self._images,
            labelled=self._labelled,
            distinct=min(len(self.distinct), COUNTED + 1),
            largest_integer=max(integers) if all_integers else None,
            lists=self._lists,
        )
