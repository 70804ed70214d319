"""Reads `layers.parquet`: the layers in the order of the sweep, each with its number, found by its name."""

import difflib

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import LayerError, StoreDamagedError
from .files import Folder
from .schema import LAYERS, LayerRow


class LayerReader:
    """The layers of one store. rows: (layers,), by number."""

    def __init__(self, folder: Folder) -> None:
        """Raises StoreDamagedError."""
        try:
            with folder.open(LAYERS) as source:
                rows = pq.read_table(source).to_pylist()
            self.rows = tuple(LayerRow(**row) for row in rows)
        except (pa.ArrowInvalid, FileNotFoundError, TypeError) as error:
            raise StoreDamagedError(f"{folder.path(LAYERS)} cannot be read: {error}") from error
        self._numbers = {layer.layer: number for number, layer in enumerate(self.rows)}

    def number(self, name: str) -> int:
        """Raises LayerError, with the closest names, where there is none of that name."""
        if name not in self._numbers:
            close = difflib.get_close_matches(name[:200], self._numbers, n=3, cutoff=0.4)
            shown = ", ".join(close or list(self._numbers)[:20])
            raise LayerError(
                f"no layer {name[:200]!r} in this store; {'did you mean' if close else 'there are'} {shown}"
            )
        return self._numbers[name]

    def with_unit(self, name: str, unit: int) -> int:
        """The layer's number, if it has that unit. Raises LayerError."""
        number = self.number(name)
        units = self.rows[number].units
        if not 0 <= unit < units:
            raise LayerError(f"no unit {unit} in {name}: it has units 0 to {units - 1}")
        return number
