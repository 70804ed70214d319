"""An atlas of a store, opened by its name, whatever it maps.

`umap` is an atlas of the images, `units:features.10` the one of a layer's units, `activations:features.10` the one of
its activations at single positions. The items of an atlas are numbered by image_id, by unit, or by row of the sample.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from ...common.errors import DerivedError, StoreDamagedError
from ..format.layer_folders import ACTIVATIONS, FOLDER, KINDS, layer_folder, sample_folder
from ..storage.folder import Folder
from ..storage.layer_names import folder_name
from .activation_atlas import read_cells
from .activation_sample import ActivationSample
from .atlas import Atlas, atlas_path, list_atlases, read_manifest

IMAGES = "images"


def name_of(kind: str, layer: str) -> str:
    """Return the name of a layer's own atlas. kind: UNITS or ACTIVATIONS."""
    return f"{kind}:{layer}"


def kind_of(name: str) -> tuple[str, str | None]:
    """Return what an atlas with a name maps, and of which layer."""
    kind, colon, layer = name.partition(":")
    return (kind, layer) if colon and kind in KINDS else (IMAGES, None)


def place_of(folder: Folder, name: str) -> tuple[Folder, str]:
    """Return the folder that an atlas lies in, and its name there. folder: of the store."""
    kind, layer = kind_of(name)
    return (folder, name) if layer is None else (layer_folder(folder, layer), kind)


def manifest_path(folder: Folder, name: str) -> tuple[Folder, str]:
    """Return the file of an atlas that is written last: the folder that it is relative to, and its path."""
    where, inner = place_of(folder, name)
    return where, atlas_path(inner, "atlas.json")


def manifest_of(folder: Folder, name: str, store: str) -> dict[str, Any]:
    """Return what an atlas says of itself, without opening it. Raises as `StoreAtlas.open`."""
    where, inner = place_of(folder, name)
    return read_manifest(where, inner, store)


def is_finished(folder: Folder, name: str) -> bool:
    """Return whether there is an atlas with a name."""
    where, inner = place_of(folder, name)
    return inner in list_atlases(where)


def layer_atlases(folder: Folder, layers: list[str]) -> list[str]:
    """Return the names of the finished atlases of layers, in the order of the layers."""
    if folder.local_path(FOLDER) is not None:
        found = {(layer, kind) for layer in layers for kind in list_atlases(layer_folder(folder, layer))}
    else:  # one list of all is less than one for each layer
        known = {folder_name(layer): layer for layer in layers}
        paths = [path.split("/") for path in folder.list(f"{FOLDER}/") if path.endswith("/atlas.json")]
        found = {(known[path[1]], path[3]) for path in paths if len(path) == 5 and path[1] in known}
    return [name_of(kind, layer) for layer in layers for kind in KINDS if (layer, kind) in found]


@dataclass(frozen=True)
class StoreAtlas:
    """An open atlas. kind: IMAGES, UNITS or ACTIVATIONS; layer: of the last two.

    sample, cells: of an atlas of activations, what it is made from and the averages of its cells.

    >>> from unitscope.index.atlas import StoreAtlas
    >>> from unitscope.index.store import Store
    >>> store = Store.open("store")
    >>> opened = StoreAtlas.open(store.folder, "umap", store=store.manifest.hash)
    >>> opened.kind, len(opened.atlas.images)
    ('images', 64)
    """

    name: str
    kind: str
    layer: str | None
    atlas: Atlas
    sample: ActivationSample | None = None
    cells: pa.Table | None = None

    @staticmethod
    def open(folder: Folder, name: str, *, store: str) -> "StoreAtlas":
        """Open an atlas by its name. folder, store: of the store, and the hash of its manifest.

        Raises NotBuiltError without one, OutdatedError for one of another sweep or version, StoreDamagedError.
        """
        kind, layer = kind_of(name)
        where, inner = place_of(folder, name)
        atlas = Atlas.open(where, inner, store=store)
        if layer is None or kind != ACTIVATIONS:
            return StoreAtlas(name, kind, layer, atlas)
        settings = atlas.manifest["settings"]
        where = sample_folder(folder, layer)
        try:
            sample = ActivationSample.open(where, store=store)
        except DerivedError as error:
            raise StoreDamagedError(f"The sample of the atlas is gone ({error}); make it again.") from error
        if sample.digest != settings["sample_digest"]:
            raise StoreDamagedError(f"{where.url} holds another sample than the atlas is of; make it again.")
        _ = sample.places, sample.pictures  # from here on its files may be replaced
        return StoreAtlas(name, kind, layer, atlas, sample, read_cells(where, settings["cells"]))

    @cached_property
    def cell_rows(self) -> dict[tuple[int, int], int]:
        """The row of `cells` for each (row, column) that holds samples."""
        if self.cells is None:
            return {}
        pairs = zip(self.cells["row"].to_pylist(), self.cells["column"].to_pylist(), strict=True)
        return {pair: place for place, pair in enumerate(pairs)}
