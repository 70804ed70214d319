"""Writes `selectivity.parquet`: what each unit's maxima are on the images of each label.

The class selectivity index is that of A. S. Morcos, D. G. T. Barrett, N. C. Rabinowitz and M. Botvinick, "On the
importance of single directions for generalization" (2018), section 2.3: (m_max - m_rest) / (m_max + m_rest).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..format.batches import regroup
from ..format.files import CLASSES, SELECTIVITY
from ..format.layer_row import LayerRow
from ..format.parquet_writer import selectivity_rows, selectivity_settings, table_file
from ..format.schema import SELECTIVITY_SCHEMA
from ..storage.folder import Folder
from .class_sums import add_missing
from .labels import label_numbers
from .maxima import part_notes
from .notes import Merged, Part, resume


def write_selectivity(folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow]) -> Merged:
    """Write `selectivity.parquet`: the units of each layer in turn.

    Holds one layer's sums. Needs every `write_maxima` and `write_classes` done; raises StoreError where one is not.
    """
    return resume(folder, "selectivity", lambda: _write(folder, parts, layers))


def _write(folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow]) -> Merged:
    names = label_numbers(folder, parts[0]).names
    with folder.open(CLASSES) as source:
        images = pq.read_table(source, columns=["images"])["images"].to_numpy()
    rows = _rows(folder, parts, layers, pa.array(names, pa.string()), images)
    with table_file(folder, SELECTIVITY, SELECTIVITY_SCHEMA, selectivity_settings()) as table:
        for block in regroup(rows, selectivity_rows(len(names))):
            table.write(pa.Table.from_batches(block).combine_chunks())
    return Merged(table.record)


def _rows(
    folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow], names: pa.Array, images: np.ndarray
) -> Iterator[pa.RecordBatch]:
    for number, layer in enumerate(layers):
        sums, missing = np.zeros((layer.units, len(images))), np.zeros((layer.units, 0), np.int64)
        for note in part_notes(folder, parts, layers, number):
            sums += note.class_sums
            missing = add_missing(missing, note.class_missing)
        counts = images - missing if missing.shape[1] else np.broadcast_to(images, (layer.units, len(images)))
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (sums / counts).astype(np.float32)
        preferred, index = selectivity(means, counts > 0)
        columns = [
            pa.array([layer.layer] * layer.units, pa.string()),
            pa.array(np.arange(layer.units, dtype=np.int32)),
            names.take(pa.array(preferred, mask=preferred < 0)),
            pa.array(index, mask=np.isnan(index)),
            _means_column(means, counts > 0),
        ]
        yield pa.record_batch(columns, schema=SELECTIVITY_SCHEMA)


def selectivity(means: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the label with the largest mean of each unit, and its class selectivity index.

    means: (units, labels) float32, at least 0; there: (units, labels) bool, which have finite maxima: only those count.
    Gives (units,) int64, -1 where no label is preferred, and (units,) float32, NaN there: fewer than two labels have
    any, the unit is never above 0, or a mean is not a finite number. Of labels with equal means the first is preferred.
    """
    if not means.shape[1]:
        return np.full(len(means), -1), np.full(len(means), np.nan, np.float32)
    count = there.sum(axis=1)
    rows = np.arange(len(means))
    rest = np.where(there, means, 0).astype(np.float64)
    preferred = rest.argmax(axis=1)
    largest = rest[rows, preferred]
    rest[rows, preferred] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        others = rest.sum(axis=1) / (count - 1)
        index = ((largest - others) / (largest + others)).astype(np.float32)
    defined = np.isfinite(index) & (largest > 0) & (count >= 2)
    return np.where(defined, preferred, -1), np.where(defined, index, np.float32(np.nan))


def _means_column(means: np.ndarray, there: np.ndarray) -> pa.Array:
    """Return (units,) list<float>, null where there are no labels; a label without finite maxima is null within."""
    units, labels = means.shape
    if not labels:
        return pa.nulls(units, SELECTIVITY_SCHEMA.field("means").type)
    flat = pa.array(np.ascontiguousarray(means).reshape(-1), mask=(~there).reshape(-1))
    offsets = np.arange(units + 1, dtype=np.int32) * np.int32(labels)
    return pa.ListArray.from_arrays(pa.array(offsets), flat)
