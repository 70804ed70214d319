"""The stores that a service answers from, by name, each in its newest finished version."""

import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from threading import Lock
from typing import Any
from urllib.parse import quote

import numpy as np

from ...common.errors import (
    NotBuiltError,
    NotFoundError,
    StorageError,
    StoreDamagedError,
    StoreNotFoundError,
    UnitscopeError,
    UsageError,
)
from ...index.analysis.analysis import Analysis
from ...index.atlas.atlas import list_atlases
from ...index.atlas.store_atlas import (
    StoreAtlas,
    is_finished,
    kind_of,
    layer_atlases,
    manifest_of,
    manifest_path,
)
from ...index.caching.cache import ByteCache
from ...index.caching.cached_only import refuse_if_cached_only
from ...index.caching.once import OnceCache
from ...index.format.derived import command
from ...index.format.files import MANIFEST
from ...index.neighbors.exact import Vectors
from ...index.neighbors.index import HELD, NeighborIndex
from ...index.neighbors.index_files import MANIFEST as ANN_MANIFEST
from ...index.neighbors.pixel_space import pixel_folder
from ...index.overlays.overlays import Overlays
from ...index.storage.folder import Folder
from ...index.store.store import Store
from ...index.store.trust import NOTHING, Trust
from .neighbors import Neighbors, NeighborsOpener
from .versioned import VERSION_LETTERS, Reloading, Version

_ANSWER_BYTES = 64 << 20
_SHOWN_BYTES = 64 << 20
_EXACT_BYTES = 128 << 20
"""Features of at most this many bytes are held and searched exactly where a store has no index."""
_OVERLAY_BYTES = 192 << 20
_NONSENSE = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What a manifest that is JSON, but not ours, makes its readers raise."""


class ServedStore:
    """One version of one store, with its index and atlases: each opened when it is first asked for.

    name: in addresses. address: where the API answers for it. images: of its images. versioned: the parameter in the
    addresses of pictures that names this version. hash: SHA-256 of the manifest, which names every byte of the store.
    answers: what was answered last, by ETag. shown: what was told of images last, by image_id.
    """

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.address = f"/api/v1/stores/{quote(name, safe='')}"
        self.images = f"{self.address}/images"
        self.versioned = f"v={store.manifest.hash[:VERSION_LETTERS]}"
        self.store = store
        self.analysis = Analysis(store)
        self.overlays = Overlays(OnceCache(_OVERLAY_BYTES))
        self.hash = store.manifest.hash
        self.answers = ByteCache(_ANSWER_BYTES)
        self.shown = ByteCache(_SHOWN_BYTES)
        self._ann = Reloading(store.folder, ANN_MANIFEST, lambda: self._open_ann(store.folder))
        self._near = NeighborsOpener(store.folder, self.hash)
        pixels = pixel_folder(store.folder)
        self._pixels = Reloading(pixels, ANN_MANIFEST, lambda: self._open_ann(pixels, held=0))
        self._atlases: dict[str, Reloading[StoreAtlas]] = {}
        self._exact: NeighborIndex | None = None
        self._lock = Lock()
        self.blocked: tuple[float, str | None] = (float("-inf"), None)
        """When the pages last tried to read an image's pixels, and why they could not."""
        options, model = store.manifest.options, store.manifest.model
        self.provenance: dict[str, Any] = {
            "manifest": self.hash,
            "weights": model.get("weights"),
            "random": bool(model["random"]),
            "maxima_dtype": str(options.get("maxima_dtype", "float32")),
            "feature_dtype": str(options.get("feature_dtype", "float32")),
            "precision": str(options.get("precision", "exact")),
        }
        """What every answer says of what it is made from."""

    @property
    def has_index(self) -> bool:
        """Whether `unitscope index` has built one."""
        return self._ann.is_open or self.store.folder.exists(ANN_MANIFEST)

    def ann(self) -> Version[NeighborIndex]:
        """Return the neighbours of any feature; of a small store without an index by exact search.

        Raises NotBuiltError, OutdatedError for one of another sweep or version.
        """
        try:
            return self._ann.get()
        except StoreNotFoundError as error:
            features = self.store.features
            if features.images * features.width * 4 > _EXACT_BYTES:
                raise self._not_built("no index for neighbours", "index") from error
        return Version(self._exactly(), "exact", ())

    def near(self) -> Version[Neighbors]:
        """Return the same, for images of the store: with the graph that knows their neighbours. Raises as `ann`."""
        return self._near.of(self.ann())

    def pixels(self) -> Version[NeighborIndex]:
        """Return the index over pixels (index/neighbors/pixel_space.py). Raises NotBuiltError."""
        try:
            return self._pixels.get()
        except StoreNotFoundError as error:
            raise self._not_built("no index over pixels", "index") from error

    def atlas(self, name: str) -> Version[StoreAtlas]:
        """Return an atlas by its name: of the images, or one of a layer's own, such as `units:features.10`.

        Raises LayerError, NotBuiltError, naming those there are, OutdatedError for one of another sweep or version.
        """
        with self._lock:
            opened = self._atlases.get(name)
        if opened is None:
            kind, layer = kind_of(name)
            if layer is not None:
                self.store.layer(layer)
            if not is_finished(self.store.folder, name):
                raise self._no_atlas(name, kind, layer)
            made = Reloading(*manifest_path(self.store.folder, name), lambda: self._open_atlas(name))
            with self._lock:
                opened = self._atlases.setdefault(name, made)
        return opened.get()

    def atlases(self) -> list[str]:
        """Return the names of the finished atlases of the images."""
        with self._lock:
            held = {name for name, opened in self._atlases.items() if opened.is_open}
        images = {name for name in held if kind_of(name)[1] is None}
        return sorted(images.union(list_atlases(self.store.folder)))

    def atlas_manifest(self, name: str) -> dict[str, Any]:
        """Return what a finished atlas says of itself. Raises StoreError for one of another sweep."""
        try:
            return manifest_of(self.store.folder, name, self.hash)
        except _NONSENSE as error:
            raise self._damaged("atlas", error) from error

    def layer_atlases(self, layers: list[str]) -> list[str]:
        """Return the names of the finished atlases of layers."""
        return layer_atlases(self.store.folder, layers)

    def _open_ann(self, folder: Folder, held: int = HELD) -> NeighborIndex:
        try:
            return NeighborIndex.open(folder, store=self.hash, serving=True, held=held)
        except _NONSENSE as error:
            raise self._damaged("index", error) from error

    def _open_atlas(self, name: str) -> StoreAtlas:
        try:
            return StoreAtlas.open(self.store.folder, name, store=self.hash)
        except _NONSENSE as error:
            raise self._damaged("atlas", error) from error

    def _damaged(self, what: str, error: Exception) -> StoreDamagedError:
        return StoreDamagedError(
            f"The {what} of {self.name} cannot be read ({error!r}): it is damaged or of another release; run "
            f"`unitscope {what} {self.store.folder.url}` again, and it is picked up without a restart"
        )

    def _no_atlas(self, name: str, kind: str, layer: str | None) -> NotBuiltError:
        if layer is not None:
            return self._not_built(f"no atlas of the {kind} of {layer}", "atlas", f"--{kind}", layer)
        known = self.atlases()
        have = f"there are {', '.join(known)}" if known else "there is none yet"
        return self._not_built(f"no atlas {name!r} ({have})", "atlas")

    def _not_built(self, none: str, name: str, *options: str) -> NotBuiltError:
        build = command(name, self.store.folder.url, *options)
        return NotBuiltError(f"{self.name} has {none}", build, "; it is picked up without a restart")

    def _exactly(self) -> NeighborIndex:
        """Return exact search over the features themselves, held in memory."""
        refuse_if_cached_only()
        with self._lock:
            if self._exact is None:
                reader = self.store.features
                features = np.zeros((reader.images, reader.width), np.float32)
                valid = np.zeros(reader.images, bool)
                for block in reader.blocks():
                    rows = slice(block.first, block.first + len(block.values))
                    features[rows] = np.where(block.valid[:, None], block.values, 0)
                    valid[rows] = block.valid
                self._exact = NeighborIndex(Vectors.of(features, valid), "l2", None, (), {})
            return self._exact


def _untrusting(path: str, name: str) -> Trust:
    del path, name
    return NOTHING


class Registry:
    """Store name → store. A name is the last part of the store's path; a second one of that name gets `-2`."""

    def __init__(self, paths: list[str], trust: Callable[[str, str], Trust] = _untrusting) -> None:
        """trust: what is allowed of the store with a path and a name.

        Raises UsageError without paths, StoreError for a store that cannot be opened.
        """
        if not paths:
            raise UsageError("name at least one finished store to serve")
        self._stores: dict[str, Reloading[ServedStore]] = {}
        for path in paths:
            folder = Folder.confined(path)
            name = self._free_name(PurePosixPath(posixpath.normpath(folder.url)).name or "store")
            fresh = Reloading(folder, MANIFEST, _opener(name, path, trust(path, name)), keeps=False)
            fresh.get()
            self._stores[name] = fresh

    def _free_name(self, name: str) -> str:
        taken, number = name, 2
        while taken in self._stores:
            taken, number = f"{name}-{number}", number + 1
        return taken

    def names(self) -> list[str]:
        """Return them in the order in which they were given."""
        return list(self._stores)

    def get(self, name: str) -> Version[ServedStore]:
        """Return the store as it is now. Raises NotFoundError, and StorageError where it cannot be read any more."""
        fresh = self._stores.get(name)
        if fresh is None:
            known = ", ".join(self._stores)
            raise NotFoundError(f"no store {name[:200]!r}; there are: {known}")
        try:
            return fresh.get()
        except UnitscopeError as error:
            raise StorageError(
                f"The store {name} cannot be read now: {error} Once it can be, it is picked up without a restart."
            ) from error


def _opener(name: str, path: str, trust: Trust) -> Callable[[], ServedStore]:
    return lambda: ServedStore(name, Store.open(path, trust=trust))
