"""Reads `layers.parquet`: the layers in the order of the sweep, each with its number, found by its name."""

import hashlib

import pyarrow as pa

from ...common.closest import closest
from ...common.errors import LayerError
from ..format.files import LAYERS, maxima_table
from ..format.layer_row import LayerRow
from ..format.parquet_bounds import read_small
from ..format.schema import LAYERS_SCHEMA
from ..storage.damaged import damaged, reading
from ..storage.folder import Folder
from ..storage.hashed_file import PartRecord
from ..storage.stored_names import check_stored_name

_MOST = 1 << 24
"""More units or positions than any layer has."""


class LayerReader:
    """The layers of one store. rows: (layers,), by number."""

    def __init__(self, folder: Folder, record: PartRecord | None = None) -> None:
        """record: of layers.parquet, in the manifest, where it is to be compared. Raises StoreDamagedError."""
        where = folder.path(LAYERS)
        with reading(where):
            data = folder.read(LAYERS)
            if record is not None and hashlib.sha256(data).hexdigest() != record.sha256:
                raise damaged(where, "its SHA-256 is not that of the manifest")
            table = read_small(data)
            known = [
                name for name in table.column_names if name in LAYERS_SCHEMA.names
            ]  # older stores lack some
            table = table.select(known).cast(pa.schema([LAYERS_SCHEMA.field(name) for name in known]))
            self.rows = tuple(_checked(LayerRow(**row)) for row in table.to_pylist())
            if len({row.layer for row in self.rows}) != len(self.rows):
                raise ValueError("two layers have one name")
        self._numbers = {layer.layer: number for number, layer in enumerate(self.rows)}

    def number(self, name: str) -> int:
        """Raise LayerError, with the closest names, where there is none of that name."""
        if name not in self._numbers:
            close = closest(name, self._numbers, cutoff=0.4)
            shown = ", ".join(close or list(self._numbers)[:20])
            raise LayerError(
                f"no layer {name[:200]!r} in this store; {'did you mean' if close else 'there are'} {shown}"
            )
        return self._numbers[name]

    def with_unit(self, name: str, unit: int) -> int:
        """Return the layer's number, if it has that unit. Raises LayerError."""
        number = self.number(name)
        units = self.rows[number].units
        if not 0 <= unit < units:
            raise LayerError(f"no unit {unit} in {name}: it has units 0 to {units - 1}")
        return number


def _checked(row: LayerRow) -> LayerRow:
    """Return the row itself. Raises StoreDamagedError for a name that leads elsewhere, ValueError for other sizes."""
    check_stored_name(maxima_table(row.layer), LAYERS)
    sizes = row.units, row.height, row.width
    if min(sizes) < 1 or max(sizes) > _MOST or row.height * row.width > _MOST:
        raise ValueError(f"{row.layer} has {row.units} units at {row.height} x {row.width} positions")
    return row
