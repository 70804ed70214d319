"""Writes `units.parquet` from what the maxima's tasks noted: each unit's statistics and its strongest patches."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ...common.frame import Frame
from ..format.batches import regroup
from ..format.columns import Columns
from ..format.files import IMAGES, UNITS, part_path
from ..format.layer_row import LayerRow
from ..format.parquet_cache import FileCache
from ..format.parquet_writer import UNIT_ROWS, table_file, units_settings
from ..format.patches import top_column
from ..format.schema import UNITS_SCHEMA
from ..stats import moments as statistics
from ..stats import topk
from ..stats.moments import Statistics
from ..stats.topk import TopK
from ..storage.folder import Folder
from .maxima import part_notes
from .notes import Merged, Part, resume

_CACHE = 2**26


def write_units(
    folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow], frame: Frame, *, k: int
) -> Merged:
    """Write `units.parquet`: the units of each layer in turn, in row groups of UNIT_ROWS.

    Holds one layer's top-k's. Needs every `write_images` and `write_maxima` done; raises StoreError where one is not.
    """
    return resume(folder, "units", lambda: _write(folder, parts, layers, frame, k))


def _write(folder: Folder, parts: Sequence[Part], layers: Sequence[LayerRow], frame: Frame, k: int) -> Merged:
    cache = FileCache(folder, footer_bytes=_CACHE, column_bytes=_CACHE)
    images = Columns(
        cache, [part_path(IMAGES, part.number) for part in parts], [part.images for part in parts]
    )
    rows = _rows(folder, parts, layers, frame, k=k, images=images)
    with table_file(folder, UNITS, UNITS_SCHEMA, units_settings()) as table:
        for block in regroup(rows, UNIT_ROWS):
            table.write(pa.Table.from_batches(block).combine_chunks())
    return Merged(table.record)


def _rows(
    folder: Folder,
    parts: Sequence[Part],
    layers: Sequence[LayerRow],
    frame: Frame,
    *,
    k: int,
    images: Columns,
) -> Iterator[pa.RecordBatch]:
    for number, layer in enumerate(layers):
        top, measured = TopK.empty(layer.units), Statistics.empty(layer.units)
        for note in part_notes(folder, parts, layers, number):
            top, measured = topk.merge(top, note.top, k), statistics.merge(measured, note.statistics)
        columns = _statistics(layer, measured)
        columns["top"] = top_column(top, layer, frame, images, units=np.arange(layer.units))
        yield pa.record_batch([columns[name] for name in UNITS_SCHEMA.names], schema=UNITS_SCHEMA)


def _statistics(layer: LayerRow, measured: Statistics) -> dict[str, pa.Array]:
    """Return all columns but `top`; null where no image has a finite value."""
    none = measured.finite == 0
    return {
        "layer": pa.array([layer.layer] * layer.units, pa.string()),
        "unit": pa.array(np.arange(layer.units, dtype=np.int32)),
        "images": pa.array(np.full(layer.units, measured.images, np.int64)),
        "mean": pa.array(measured.means, mask=none),
        "std": pa.array(measured.std, mask=none),
        "min": pa.array(measured.minima, mask=none),
        "max": pa.array(measured.maxima, mask=none),
        "active": pa.array(measured.active_share, mask=none),
        "nonfinite": pa.array(measured.nonfinite),
    }
