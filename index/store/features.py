"""Reads `features/`: one image's feature, or all of them in blocks."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ...common.errors import LayerError
from ..format.columns import Columns
from ..format.files import LAYER_FEATURES
from ..format.parquet_cache import RowGroup
from ..storage.damaged import damaged
from .table_files import TableFiles


class FeatureBlock(NamedTuple):
    """first: image_id of the first row. values: (rows, width) float32, NaN where an image failed.

    valid: (rows,) bool, where it did not.
    """

    first: int
    values: np.ndarray
    valid: np.ndarray


class FeatureReader:
    """The features of a store; never holds more than a block of them."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    @property
    def images(self) -> int:
        """Rows, failed images among them."""
        return self._columns.rows

    @property
    def width(self) -> int:
        """Numbers in one feature."""
        schema = self._columns.schema
        kind = schema.field("feature").type if "feature" in schema.names else None
        if kind is None or not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
            raise damaged("features/", f"its column `feature` is of the type {kind}")
        return int(kind.list_size)

    def one(self, image_id: int) -> np.ndarray | None:
        """Return (width,) float32, or None where the image failed. Reads the row group that holds it."""
        group = self._columns.group_of(image_id)
        values, valid = _dense(self._columns.read(group, ["feature"])["feature"], self.width)
        row = image_id - group.first
        return values[row] if valid[row] else None

    def bytes_of(self, image_ids: np.ndarray) -> int:
        """Return how much `at` reads for them."""
        return sum(group.rows for group, _ in self._holding(image_ids)) * self.width * 4

    def at(self, image_ids: np.ndarray) -> np.ndarray:
        """Return (n, width) float32: the features of some images, NaN where one failed. Read past the cache.

        image_ids: (n,) int64, ascending. Every row group that holds one of them is read whole.
        """
        found = np.empty((len(image_ids), self.width), np.float32)
        for group, rows in self._holding(image_ids):
            column = self._columns.read_new(group, ["feature"])["feature"].combine_chunks()
            found[rows] = _dense(column, self.width)[0][image_ids[rows] - group.first]
        return found

    def _holding(self, image_ids: np.ndarray) -> Iterator[tuple[RowGroup, slice]]:
        """Yield the row groups that hold some of the images, each with the places of those in `image_ids`."""
        for group in self._columns.groups():
            start, stop = np.searchsorted(image_ids, [group.first, group.first + group.rows]).tolist()
            if start < stop:
                yield group, slice(start, stop)

    def blocks(self, rows: int = 65_536) -> Iterator[FeatureBlock]:
        """Yield all features in image_id order, in blocks of about `rows` rows: at most that, or one row group."""
        held: list[RowGroup] = []
        count = 0
        for group in self._columns.groups():
            if held and count + group.rows > rows:
                yield self._block(held)
                held, count = [], 0
            held.append(group)
            count += group.rows
        if held:
            yield self._block(held)

    def _block(self, groups: list[RowGroup]) -> FeatureBlock:
        rows = sum(group.rows for group in groups)
        values = np.empty((rows, self.width), np.float32)
        valid = np.empty(rows, bool)
        first = groups[0].first
        for group in groups:
            place = slice(group.first - first, group.first - first + group.rows)
            column = self._columns.read_new(group, ["feature"])["feature"].combine_chunks()
            values[place], valid[place] = _dense(column, self.width)
        return FeatureBlock(first, values, valid)


def averaged_features(tables: TableFiles, layer: str, averaged: Sequence[str]) -> FeatureReader:
    """Return the features of a layer that is one of those whose mean the sweep kept. Raises LayerError for another."""
    if layer not in averaged:
        have = f"there are those of {', '.join(averaged)}" if averaged else "there are none of any layer"
        raise LayerError(
            f"no features of layer {layer[:200]!r} in this store; {have}. `unitscope sweep --atlas-layers NAMES` "
            "keeps them, in a new store"
        )
    return FeatureReader(tables.of_images(LAYER_FEATURES, layer))


def _dense(column: pa.FixedSizeListArray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ((rows, width) float32, NaN where null; (rows,) bool, where not)."""
    flat = column.flatten().to_numpy(zero_copy_only=True).astype(np.float32, copy=False).reshape(-1, width)
    if not column.null_count:
        return flat, np.ones(len(column), bool)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    values = np.full((len(column), width), np.nan, np.float32)
    values[valid] = flat
    return values, valid
