"""Reads what the merge made of all maxima: `classes.parquet`, `selectivity.parquet` and `strongest/`.

Stores of releases that did not make them have none, and every answer is then None.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..format.columns import Columns
from ..format.files import CLASSES, SELECTIVITY, STRONGEST
from ..format.layer_row import LayerRow
from ..format.manifest import Manifest
from ..format.schema import CLASSES_SCHEMA
from ..storage.damaged import damaged
from ..storage.hashed_file import PartRecord


class StrongUnit(NamedTuple):
    """One of the strongest units of an image. score: (value - mean) / std of the unit over the dataset."""

    layer: str
    unit: int
    value: float
    score: float


class SummaryReader:
    """The three tables of one store. Any threads may share it."""

    def __init__(
        self,
        manifest: Manifest,
        columns: Callable[[Sequence[PartRecord]], Columns],
        layers: Sequence[LayerRow],
    ) -> None:
        """columns: opens a table of these files."""

        def table(records: list[PartRecord]) -> Columns | None:
            return columns(records) if records else None

        self._classes = table([manifest.files[CLASSES]] if CLASSES in manifest.files else [])
        self._selectivity = table([manifest.files[SELECTIVITY]] if SELECTIVITY in manifest.files else [])
        self._strongest = table(manifest.parts(STRONGEST))
        self._layers = tuple(layers)
        self._firsts = [0, *accumulate(layer.units for layer in layers)]

    def classes(self) -> pa.Table | None:
        """Return all rows of classes.parquet."""
        if self._classes is None:
            return None
        groups = [self._classes.read_new(group, CLASSES_SCHEMA.names) for group in self._classes.groups()]
        return pa.concat_tables(groups) if groups else CLASSES_SCHEMA.empty_table()

    def labelled(self) -> dict[str, int]:
        """Return the labels that are classes of the model → their numbers."""
        table = self.classes()
        rows = [] if table is None else table.select(["label", "label_index"]).to_pylist()
        return {row["label"]: row["label_index"] for row in rows if row["label_index"] is not None}

    def selectivity(self, number: int) -> pa.Table | None:
        """Return (units,) rows of layer `number`: `unit`, `label`, `selectivity`."""
        if self._selectivity is None:
            return None
        first, stop = self._firsts[number], self._firsts[number + 1]
        tables: list[pa.Table] = []
        while first < stop:
            group = self._selectivity.group_of(first)
            end = min(stop, group.first + group.rows)
            table = pa.table(self._selectivity.read(group, ["unit", "label", "selectivity"]))
            tables.append(table.slice(first - group.first, end - first))
            first = end
        return pa.concat_tables(tables).combine_chunks()

    def class_means(self, number: int, unit: int) -> np.ndarray | None:
        """Return (labels,) float32 in the order of classes.parquet; NaN for a label without images."""
        if self._selectivity is None:
            return None
        row = self._firsts[number] + unit
        group = self._selectivity.group_of(row)
        means = self._selectivity.read(group, ["means"])["means"][row - group.first]
        if not means.is_valid:
            return np.zeros(0, np.float32)
        return means.values.to_numpy(zero_copy_only=False).astype(np.float32)

    def strongest(self, image_id: int) -> list[list[StrongUnit]] | None:
        """Return for each layer its strongest units in an image, largest score first; empty lists for an image that
        failed.
        """
        if self._strongest is None:
            return None
        group = self._strongest.group_of(image_id)
        units = self._strongest.read(group, ["units"])["units"][image_id - group.first]
        found: list[list[StrongUnit]] = [[] for _ in self._layers]
        if not units.is_valid:
            return found
        columns = [column.to_numpy().tolist() for column in units.values.flatten()]
        for layer, unit, *entry in zip(*columns, strict=True):
            if not (0 <= layer < len(found) and 0 <= unit < self._layers[layer].units):
                raise damaged(STRONGEST, f"it names unit {unit} of layer number {layer}")
            found[layer].append(StrongUnit(self._layers[layer].layer, unit, *entry))
        return found
