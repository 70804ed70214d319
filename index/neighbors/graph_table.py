"""The graph of nearest neighbours on disk: `knn/`, with a manifest that is published last.

`neighbours.i32` (int32 image ids, -1 for none) and `distances.f32` (float32, inf for none) are plain arrays of one row
for each image of the store, row = image_id, nearest first. Deleting the folder loses nothing.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...common.errors import DerivedError, StoreDamagedError
from ...common.progress import SILENT, Progress
from ..format.sealed import sealed
from ..storage.folder import Folder
from ..storage.memory_map import map_array
from .graph import RANKED, KnnGraph, knn_graph
from .graph_files import DTYPES, MANIFEST, NEIGHBOURS_FILE, VERSION, check_graph, index_digest, read_manifest
from .index import NeighborIndex

_BLOCK = 65_536


def stored_graph(
    folder: Folder, ann: NeighborIndex, *, store: str, threads: int = 1, progress: Progress = SILENT
) -> KnnGraph:
    """Return the graph of the store's `knn/`; made and written first unless one of this store and this index is there.

    store: the hash of the store's manifest. Call it while holding the store for writing.
    """
    try:
        return read_graph(folder, ann, store=store)
    except (DerivedError, StoreDamagedError):
        folder.remove(MANIFEST)
    graph = knn_graph(ann, threads=threads, progress=progress)
    _write(folder, graph, ann, store)
    return graph


def read_graph(folder: Folder, ann: NeighborIndex, *, store: str) -> KnnGraph:
    """Open `knn/`, mapped into memory. store: the hash of the store's manifest.

    Raises NotBuiltError where there is none, OutdatedError for one of another store or index; StoreDamagedError.
    """
    manifest = read_manifest(folder, store=store, index=ann.manifest)
    problem = next(check_graph(folder), None)
    if problem:
        path, what = problem
        raise StoreDamagedError(f"{folder.path(path)} {what}; delete knn/ and run `unitscope index`.")
    shape = (len(ann.vectors.valid), int(manifest["k"]))
    ids, distances = (map_array(folder, name, dtype, shape) for name, dtype in DTYPES.items())
    images = np.flatnonzero(ann.vectors.valid)
    if len(images) < shape[0]:
        ids, distances = np.searchsorted(images, ids[images]).astype(np.int32), distances[images]
    return KnnGraph(images, ids, distances, float(manifest["recall"]), ann.metric)


def _write(folder: Folder, graph: KnnGraph, ann: NeighborIndex, store: str) -> None:
    files: dict[str, dict[str, Any]] = {}
    for name in DTYPES:
        digest, size = hashlib.sha256(), 0
        with folder.writer(name) as file:
            for block in _dense(graph, len(ann.vectors.valid), name):
                digest.update(block.data)
                size += file.write(block.data)
        files[name] = {"bytes": size, "sha256": digest.hexdigest()}
    manifest = {
        "version": VERSION,
        "store": store,
        "index": index_digest(ann.manifest),
        "metric": graph.metric,
        "images": len(ann.vectors.valid),
        "rows": len(graph.images),
        "k": graph.k,
        "ranked": RANKED if graph.metric == "l2" else 0,
        "recall": graph.recall,
        "files": files,
    }
    folder.publish(MANIFEST, sealed(manifest))


def _dense(graph: KnnGraph, images: int, name: str) -> Iterator[np.ndarray]:
    """Return blocks of one file: a row for every image of the store."""
    for start in range(0, images, _BLOCK):
        stop = min(start + _BLOCK, images)
        rows = slice(*np.searchsorted(graph.images, [start, stop]))
        own = graph.images[rows] - start
        is_ids = name == NEIGHBOURS_FILE
        block = np.full((stop - start, graph.k), -1 if is_ids else np.inf, DTYPES[name])
        block[own] = graph.images[graph.neighbours[rows]] if is_ids else graph.distances[rows]
        yield block
