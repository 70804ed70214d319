"""The files of `knn/`, the stored graph of nearest neighbours: their names, their manifest, whether they are whole."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...common.errors import DerivedError, StoreDamagedError
from ..format.derived import Derived, open_derived
from ..storage.folder import Folder, MissingFileError

VERSION = 1
AGAIN = "delete knn/ and run `unitscope index STORE`"
"""What to do where the graph is damaged."""
MANIFEST, NEIGHBOURS_FILE, DISTANCES_FILE = "knn/knn.json", "knn/neighbours.i32", "knn/distances.f32"
_FIELDS = {"store": str, "index": str, "k": int, "recall": int | float, "files": dict}
_KIND = Derived("graph of neighbours", MANIFEST, VERSION, AGAIN, _FIELDS)
DTYPES = {NEIGHBOURS_FILE: np.int32, DISTANCES_FILE: np.float32}


def read_manifest(
    folder: Folder, *, store: str | None = None, index: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return `knn/knn.json`. store: the hash of the store's manifest; index: `ann/ann.json`, that it must be of.

    Raises NotBuiltError where there is none; OutdatedError for one of another version, store or index;
    StoreDamagedError.
    """
    sources = {"store": store, "index": None if index is None else index_digest(index)}
    return open_derived(folder, _KIND, sources=sources).content


def index_digest(index: dict[str, Any]) -> str:
    """Name what an index (`ann/ann.json`) answers: the SHA-256 of its files' hashes and of how it is searched."""
    told = {key: index.get(key) for key in ("files", "metric", "points", "type")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def check_graph(folder: Folder) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the files of `knn/`, as (file, what); nothing where there is no graph."""
    try:
        files: dict[str, dict[str, Any]] = read_manifest(folder)["files"]
    except DerivedError:
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
