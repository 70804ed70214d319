"""Reads `images/`: rows by id, whole columns, the id of a uri, and which images a filter keeps."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ...common.errors import UsageError
from ..caching.cache import ByteCache
from ..compute import pc
from ..format.columns import Columns
from ..labels.columns import LABELS, LIST_COLUMNS, has_label_lists
from ..where.parser import NO_NAMES, ClassNames, Filter, parse

_MASK_BYTES = 64 * 2**20
_KEPT_IMAGES = 4 * 2**20
"""In a store of at most this many images, the columns that filters read are kept."""


class ImageReader:
    """The images of one store. Any threads may share it."""

    def __init__(self, columns: Columns, count: int, classes: ClassNames = NO_NAMES) -> None:
        """columns: of images/. count: of the images. classes: of the model, by their names."""
        self.columns, self.count, self.classes = columns, count, classes
        self._masks = ByteCache(_MASK_BYTES)

    @property
    def mask_reads(self) -> tuple[int, int]:
        """How often a mask that was wanted was in memory, and how often not."""
        return self._masks.reads

    @cached_property
    def list_columns(self) -> tuple[str, ...]:
        """The columns for several labels and predictions of an image."""
        schema = self.columns.schema
        labels = (LABELS,) if has_label_lists(schema) else ()
        return (*labels, *(name for name in LIST_COLUMNS if name in schema.names))

    def checked(self, image_id: int) -> int:
        """Return the id itself. Raises UsageError where it is none."""
        if not 0 <= image_id < self.count:
            raise UsageError(f"no image {image_id} in this store: it has images 0 to {self.count - 1}")
        return image_id

    def table(self, names: Sequence[str]) -> pa.Table:
        """Return (images,) rows of some columns. Raises UsageError for an unknown column."""
        known = self.columns.schema.names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(f"no column {unknown[0]!r}; there are {', '.join(known)}")
        tables = [self.columns.read_new(group, names) for group in self.columns.groups()]
        return pa.concat_tables(tables).select(list(names))

    def at(self, ids: Sequence[int], names: Sequence[str] | None) -> list[dict[str, Any]]:
        """Return rows by id, in the order given; names: None for all columns. Raises UsageError for an id that is
        none.
        """
        names = list(names) if names is not None else self.columns.schema.names
        return _rows(names, self.columns.values_at(names, list(map(self.checked, ids))))

    def hold(self, names: Sequence[str]) -> None:
        """Read columns ahead, in a store that is not too large."""
        if self.count <= _KEPT_IMAGES:
            self.columns.hold(names)

    def find(self, uri: str) -> int | None:
        """Return the id of the image with this uri, or None."""
        for group in self.columns.groups():
            place = pc.index(self.columns.read_new(group, ["uri"])["uri"], pa.scalar(uri)).as_py()
            if place >= 0:
                return group.first + int(place)
        return None

    def parse(self, where: str) -> Filter:
        """Return the filter over the columns of images/. Raises FilterError."""
        return parse(where, self.columns.schema, self.classes)

    def mask(self, where: Filter | str) -> np.ndarray:
        """Return (images,) bool, not to be written to: where the filter is true. Raises FilterError."""
        parsed = self.parse(where) if isinstance(where, str) else where
        return self._masks.get(parsed.canonical, lambda: self._mask(parsed), lambda mask: mask.nbytes)

    def _mask(self, where: Filter) -> np.ndarray:
        mask = np.zeros(self.count, bool)
        names = sorted(where.columns) or ["image_id"]
        kept = self.count <= _KEPT_IMAGES
        for group in self.columns.groups():
            read = self.columns.read(group, names) if kept else self.columns.read_new(group, names)
            mask[group.first : group.first + group.rows] = where.mask(pa.table(read) if kept else read)
        mask.flags.writeable = False
        return mask


def first_rows(table: Columns, names: Sequence[str], n: int) -> list[dict[str, Any]]:
    """Return the first n rows of a table, some of its columns."""
    rows: list[dict[str, Any]] = []
    for group in table.groups():
        rows += table.read_new(group, names).slice(0, n - len(rows)).to_pylist()
        if len(rows) >= n:
            break
    return rows


def _rows(names: Sequence[str], values: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Make rows. values: of each column."""
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
