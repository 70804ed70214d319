"""Maps the units of a layer by how they fire over the dataset: the `atlas` command with `--units`."""

from dataclasses import replace
from functools import partial

import numpy as np

from ...common.progress import SILENT, Progress
from ...index.atlas.units_atlas import lay_out_units, picture_of
from ...index.atlas.writer import write_atlas
from ...index.format.layer_folders import UNITS, layer_folder
from ...index.projection.projection import MapOptions
from ...index.store.store import Store
from .atlas import AtlasReport
from ..cores import cores
from ..lock import writing


def build_units_atlas(
    store: str, layer: str, options: MapOptions | None = None, *, progress: Progress = SILENT
) -> AtlasReport:
    """Write `by_layer/<layer>/atlas/units/`, in place of one that is there.

    options: its `threads` are replaced by the cores there are. Raises LayerError, StoreNotFoundError, StoreBusyError.
    """
    options = replace(options or MapOptions(), threads=cores())
    opened = Store.open(store)
    units = opened.layer(layer).units
    with writing(opened.folder):
        found = lay_out_units(opened, layer, options, progress=progress)
        manifest = write_atlas(
            layer_folder(opened.folder, layer),
            UNITS,
            np.arange(units),
            found.coordinates,
            settings=found.settings,
            quality=found.quality,
            store=opened.manifest.hash,
            thumb=partial(picture_of, opened, layer, found.apart),
            threads=cores(),
            progress=progress,
        )
    return AtlasReport(UNITS, units, manifest["side"], found.settings, found.quality, "units")
