"""The files of `knn/`, the stored graph of nearest neighbours: their names, their manifest, whether they are whole."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...common.errors import StoreDamagedError, StoreNotFoundError
from ..format.sealed import unsealed
from ..storage.damaged import damaged
from ..storage.folder import Folder, MissingFileError

VERSION = 1
AGAIN = "delete knn/ and run `unitscope index STORE`"
"""What to do where the graph is damaged."""
MANIFEST, NEIGHBOURS_FILE, DISTANCES_FILE = "knn/knn.json", "knn/neighbours.i32", "knn/distances.f32"
_FIELDS = {"store": str, "index": str, "k": int, "recall": int | float, "files": dict}
"""What a manifest of this version says, of which type."""
DTYPES = {NEIGHBOURS_FILE: np.int32, DISTANCES_FILE: np.float32}


def read_manifest(folder: Folder) -> dict[str, Any]:
    """Return `knn/knn.json`. Raises StoreNotFoundError where there is none, or one of another format;
    StoreDamagedError.
    """
    try:
        manifest = unsealed(folder.read(MANIFEST), folder.path(MANIFEST), AGAIN)
    except MissingFileError:
        raise StoreNotFoundError(f"{folder.url} has no graph of neighbours; run `unitscope index`.") from None
    found = manifest.get("version")
    if found != VERSION:
        raise StoreNotFoundError(f"{folder.path(MANIFEST)} has version {found!r}, not {VERSION}")
    missing = [name for name, kind in _FIELDS.items() if not isinstance(manifest.get(name), kind)]
    if missing:
        raise damaged(folder.path(MANIFEST), f"it does not say `{missing[0]}` as it should", AGAIN)
    return manifest


def check_origin(folder: Folder, manifest: dict[str, Any], index: dict[str, Any], *, store: str) -> None:
    """Raise StoreNotFoundError for a graph of another store or index.

    index: `ann/ann.json`. store: the hash of the store's manifest.
    """
    for key, wanted in (("store", store), ("index", index_digest(index))):
        if manifest.get(key) != wanted:
            where = folder.path(MANIFEST)
            raise StoreNotFoundError(f"{where} was made from another {key}; run `unitscope index` again.")


def index_digest(index: dict[str, Any]) -> str:
    """Name what an index (`ann/ann.json`) answers: the SHA-256 of its files' hashes and of how it is searched."""
    told = {key: index.get(key) for key in ("files", "metric", "points", "type")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def check_graph(folder: Folder) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the files of `knn/`, as (file, what); nothing where there is no graph."""
    try:
        files: dict[str, dict[str, Any]] = read_manifest(folder)["files"]
    except StoreNotFoundError:
        return
    except StoreDamagedError as error:
        yield MANIFEST, str(error)
        return
    for name, record in files.items():
        try:
            if folder.size(name) != record["bytes"]:
                yield name, f"has {folder.size(name):,} bytes, not {record['bytes']:,}"
            elif folder.sha256(name) != record["sha256"]:
                yield name, "has another SHA-256 than knn/knn.json says"
        except MissingFileError:
            yield name, "is missing"
