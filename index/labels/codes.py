"""The labels of some items as numbers: one label for an item, or several."""

from dataclasses import dataclass

import numpy as np

NO_LABEL = -1
"""The number of an item without a label."""


@dataclass(frozen=True)
class LabelCodes:
    """The labels of items 0, 1, … by their numbers.

    numbers: (items,) int, NO_LABEL where an item has none; or, where items have several, (pairs,) int, none NO_LABEL.
    rows: None; or (pairs,) int64, ascending, the item of each pair.
    """

    numbers: np.ndarray
    rows: np.ndarray | None = None

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        return self.numbers.nbytes + (0 if self.rows is None else self.rows.nbytes)

    @property
    def labelled(self) -> int:
        """How many items have a label."""
        if self.rows is None:
            return int(np.count_nonzero(self.numbers != NO_LABEL))
        return len(np.unique(self.rows))

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (pairs,) int64, the item of each label, ascending, and (pairs,) int, the labels."""
        if self.rows is not None:
            return self.rows, self.numbers
        there = np.flatnonzero(self.numbers != NO_LABEL)
        return there, self.numbers[there]

    def counts(self, labels: int) -> np.ndarray:
        """Return how many items have each label, (labels,) int64."""
        numbers = self.numbers if self.rows is not None else self.numbers[self.numbers != NO_LABEL]
        return np.bincount(numbers, minlength=labels)

    def items_of(self, label: int) -> np.ndarray:
        """Return the items with a label, (n,) int64, ascending."""
        found = np.flatnonzero(self.numbers == label)
        return found if self.rows is None else self.rows[found]

    def take(self, items: np.ndarray) -> "LabelCodes":
        """Return the labels of some items, in the order given. items: (n,) int64."""
        if self.rows is None:
            return LabelCodes(self.numbers[items])
        starts = np.searchsorted(self.rows, items)
        counts = np.searchsorted(self.rows, items, side="right") - starts
        rows = np.repeat(np.arange(len(items)), counts)
        places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[rows]
        return LabelCodes(self.numbers[places], rows)

    def slice(self, first: int, items: int) -> "LabelCodes":
        """Return the labels of items `first`, `first` + 1 …, without a copy of the numbers."""
        if self.rows is None:
            return LabelCodes(self.numbers[first : first + items])
        start, stop = np.searchsorted(self.rows, (first, first + items))
        return LabelCodes(self.numbers[start:stop], self.rows[start:stop] - first)
