"""`verify`: every file of a store against its manifest, and the tables against each other."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from ...common.errors import ImageStatus, StoreDamagedError
from ..format.files import (
    ERRORS,
    FEATURES,
    IMAGES,
    LAYER_FEATURES,
    LAYERS,
    MANIFEST,
    MAXIMA,
    SELECTIVITY,
    STRONGEST,
    UNITS,
    layer_features_table,
    maxima_table,
)
from ..format.layer_folders import FOLDER as BY_LAYER
from ..format.manifest import Manifest
from ..storage.damaged import NONSENSE
from ..storage.folder import Folder, MissingFileError
from ..store.store import Store
from .derived import check_built, differs
from .summaries import check_summary

LOG = "log.jsonl"
DERIVED = ("ann/", "knn/", "atlas/", "pixels/", f"{BY_LAYER}/", LOG)
"""What may lie beside the manifest's files: built from the store, or about its making."""

SWEEP_AGAIN = "bring it back from a copy, or sweep again into a new folder"
"""What to do where a file of the sweep is damaged: nothing else makes it."""

_UNITS_PER_LAYER = 3


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file, and what to do."""

    path: str
    what: str
    remedy: str = SWEEP_AGAIN


@dataclass(frozen=True)
class Report:
    """What `verify` found. files, bytes: how much was compared."""

    files: int
    bytes: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether all is as it should be."""
        return not self.problems


def verify(path: str, progress: Callable[[int], None] = lambda read: None) -> Report:
    """Compare every file of the store at `path`, and of what was built from it, with their manifests, then its tables.

    progress is told the bytes of each file. Raises StoreNotFoundError, StoreError as `Store.open` does.
    """
    folder = Folder.confined(path)
    manifest = Manifest.read(folder)
    problems: list[Problem] = []
    for record in manifest.files.values():
        what = differs(folder, record.path, record.bytes, record.sha256)
        problems += [Problem(record.path, what)] if what else []
        progress(record.bytes)
    problems.extend(_extra_files(folder, manifest))
    problems.extend(_check_log(folder, manifest))
    if not problems:
        problems.extend(_check_tables(folder, manifest))
    files, size = len(manifest.files), sum(record.bytes for record in manifest.files.values())
    for one in check_built(folder, manifest.hash):
        problems += [Problem(one.path, one.what, one.remedy)] if one.what else []
        progress(one.bytes)
        files, size = files + 1, size + one.bytes
    return Report(files, size, tuple(problems))


def _check_log(folder: Folder, manifest: Manifest) -> Iterator[Problem]:
    """Yield the manifest against what the sweep noted of it in its log, where it did."""
    noted: str | None = None
    with contextlib.suppress(MissingFileError, StoreDamagedError):
        for line in folder.read(LOG).splitlines():
            with contextlib.suppress(*NONSENSE):
                noted = json.loads(line).get("manifest", noted)
    if noted is not None and noted != manifest.hash:
        yield Problem(MANIFEST, f"is not the one that the sweep wrote: {LOG} notes another SHA-256 of it")


def _extra_files(folder: Folder, manifest: Manifest) -> Iterator[Problem]:
    for entry in folder.entries(hidden=False):
        if entry.name not in manifest.files and entry.name != MANIFEST and not entry.name.startswith(DERIVED):
            yield Problem(entry.name, "is not in the manifest")


def _check_tables(folder: Folder, manifest: Manifest) -> Iterator[Problem]:
    """Return row counts everywhere; the ids and statuses of images; a few units and images against the maxima."""
    try:
        store = Store(folder, manifest)
        yield from _check_rows(store)
        yield from _check_images(store)
        yield from _check_units(store)
        yield from (Problem(path, what) for path, what in check_summary(store))
    except (StoreDamagedError, *NONSENSE) as error:
        yield Problem(MANIFEST, f"the tables do not fit together: {error}")


def _check_rows(store: Store) -> Iterator[Problem]:
    manifest = store.manifest
    for record in manifest.files.values():
        if record.path.endswith(".parquet"):
            with store.folder.open(record.path) as source:
                rows = pq.read_metadata(source).num_rows
            if rows != record.rows:
                yield Problem(record.path, f"has {rows:,} rows, not {record.rows:,}")
    tables = {table: manifest.parts(table) for table in (IMAGES, FEATURES, STRONGEST)}
    if not tables[STRONGEST]:  # older releases made none
        del tables[STRONGEST]
    for layer in store.layers:
        tables[maxima_table(layer.layer)] = manifest.parts_of_layer(MAXIMA, layer.layer)
    for name in store.averaged_layers:
        tables[layer_features_table(name)] = manifest.parts_of_layer(LAYER_FEATURES, name)
    for table, parts in tables.items():
        rows = sum(record.rows for record in parts)
        if rows != store.images_count:
            yield Problem(table, f"has {rows:,} rows for {store.images_count:,} images")
    units = sum(layer.units for layer in store.layers)
    expected = {UNITS: units, LAYERS: len(store.layers), ERRORS: sum(manifest.errors.values())}
    expected |= {SELECTIVITY: units} if SELECTIVITY in manifest.files else {}
    for path, rows in expected.items():
        if manifest.files[path].rows != rows:
            yield Problem(path, f"has {manifest.files[path].rows:,} rows, not {rows:,}")


def _check_images(store: Store) -> Iterator[Problem]:
    images = store.images(["image_id", "status"])
    if not np.array_equal(images["image_id"].to_numpy(), np.arange(store.images_count)):
        yield Problem(IMAGES, "the image_ids are not 0, 1, 2, …")
    counted = {one["values"]: one["counts"] for one in images["status"].value_counts().to_pylist()}
    expected = store.manifest.errors
    if {status: count for status, count in counted.items() if status != ImageStatus.OK} != expected:
        yield Problem(IMAGES, f"the statuses are {counted}, the manifest's errors {expected}")


def _check_units(store: Store) -> Iterator[Problem]:
    for layer in store.layers:
        for unit in np.unique(np.linspace(0, layer.units - 1, _UNITS_PER_LAYER).astype(int)).tolist():
            stored = store.unit(layer.layer, unit)
            k = max(1, len(stored.top))
            if repr(stored.top) != repr(
                tuple(store.top_from_maxima(layer.layer, unit, k=k))
            ):  # nan is nan here
                yield Problem(UNITS, f"the top of unit {unit} of {layer.layer} is not that of its maxima")
