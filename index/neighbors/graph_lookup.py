"""The nearest images of an image, looked up in the stored graph instead of searched for."""

from dataclasses import dataclass

import numpy as np

from ..storage.damaged import reading
from ..storage.folder import Folder
from ..storage.watched_file import WatchedFile, record_of
from .exact import distances, rank
from .graph_files import AGAIN, DTYPES, MANIFEST, read_manifest
from .index import Found, NeighborIndex

_SPARE = 6
"""Neighbours beyond those asked for that are ranked anew, where the order is float32's."""


@dataclass(frozen=True)
class NeighborGraph:
    """The graph of the index `ann`, read from the disk a row at a time; threads may share it.

    ids, gaps: files of (images, k) int32, nearest first, -1 for none, and float32, their distances; compared with their
    SHA-256 when they were opened. ranked: of so many both are as `NeighborIndex.find` gives them. recall: of all k.
    """

    ann: NeighborIndex
    ids: WatchedFile
    gaps: WatchedFile
    k: int
    ranked: int
    recall: float

    @staticmethod
    def open(folder: Folder, ann: NeighborIndex, *, store: str) -> "NeighborGraph":
        """Open the graph. store: the hash of the store's manifest.

        Raises NotBuiltError where there is no graph, OutdatedError for one of another store or index;
        StoreDamagedError.
        """
        manifest = read_manifest(folder, store=store, index=ann.manifest)
        with reading(folder.path(MANIFEST), AGAIN):
            k, ranked, recall = int(manifest["k"]), int(manifest.get("ranked", 0)), float(manifest["recall"])
            if not 0 <= k < max(1, ann.images) or not 0 <= recall <= 1:
                raise ValueError(f"it has k {k} and a recall of {recall} for {ann.images:,} images")
        ids, gaps = (WatchedFile(folder, name, AGAIN) for name in DTYPES)
        for name, file in zip(DTYPES, (ids, gaps), strict=True):
            file.check(record_of(manifest, name, MANIFEST)[1], size=4 * ann.images * k)
        return NeighborGraph(ann, ids, gaps, k, min(ranked, k), recall)

    def find(self, image_id: int, k: int) -> Found | None:
        """Return the k nearest of an image that has a feature, itself left out, as `NeighborIndex.find` gives them.

        None where the graph does not know so many, and where every image would be compared anyway.
        """
        if k > self.k or self.ann.is_exact(k):
            return None
        ids = self._row(self.ids, image_id, k if k <= self.ranked else k + _SPARE, np.int32).astype(np.int64)
        known = ids.tolist()
        if min(known) < 0 or max(known) >= self.ann.images:
            return None  # fewer are known
        if k <= self.ranked:
            return Found(self._row(self.gaps, image_id, k, np.float32), ids, "graph")
        vectors = self.ann.vectors
        gaps = distances(vectors, vectors.features[image_id], ids, self.ann.metric)
        vectors.pages.read(len(ids))
        return Found(*rank(gaps, ids, k), "graph")

    def _row(self, file: WatchedFile, image_id: int, count: int, dtype: type) -> np.ndarray:
        """Return (count or fewer,): the first numbers of an image's row."""
        return np.frombuffer(file.read(4 * self.k * image_id, 4 * min(count, self.k)), dtype)
