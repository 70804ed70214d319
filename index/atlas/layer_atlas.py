"""A layer's own atlas, opened with what it is made from: of its units, or of its activations at single positions."""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from ...common.errors import DerivedError, StoreDamagedError
from ..format.layer_folders import ACTIVATIONS, layer_folder, sample_folder
from ..storage.folder import Folder
from .activation_atlas import read_cells
from .activation_sample import ActivationSample
from .atlas import Atlas


@dataclass(frozen=True)
class LayerAtlas:
    """atlas: its images are units of the layer, or rows of `sample`. cells: the averages, where there is a sample."""

    layer: str
    atlas: Atlas
    sample: ActivationSample | None = None
    cells: pa.Table | None = None

    @staticmethod
    def open(folder: Folder, layer: str, kind: str, *, store: str) -> "LayerAtlas":
        """Return folder, store: of the store, and the hash of its manifest. kind: by_layer.UNITS or ACTIVATIONS.

        Raises NotBuiltError without one, OutdatedError for one of another sweep or version, StoreDamagedError.
        """
        atlas = Atlas.open(layer_folder(folder, layer), kind, store=store)
        if kind != ACTIVATIONS:
            return LayerAtlas(layer, atlas)
        settings = atlas.manifest["settings"]
        where = sample_folder(folder, layer)
        try:
            sample = ActivationSample.open(where, store=store)
        except DerivedError as error:
            raise StoreDamagedError(f"The sample of the atlas is gone ({error}); make it again.") from error
        if sample.digest != settings["sample_digest"]:
            raise StoreDamagedError(f"{where.url} holds another sample than the atlas is of; make it again.")
        _ = sample.places, sample.pictures  # from here on its files may be replaced
        return LayerAtlas(layer, atlas, sample, read_cells(where, settings["cells"]))

    @cached_property
    def cell_rows(self) -> dict[tuple[int, int], int]:
        """The row of `cells` for each (row, column) that holds samples."""
        if self.cells is None:
            return {}
        pairs = zip(self.cells["row"].to_pylist(), self.cells["column"].to_pylist(), strict=True)
        return {pair: place for place, pair in enumerate(pairs)}
