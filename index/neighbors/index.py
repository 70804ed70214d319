"""The index over the features: searched approximately and ranked exactly, or exactly.

`ann/` holds the features as raw float32, their lengths, the FAISS index (none where exact search is
fast enough) and a manifest, published last (index_files.py). Deleting the folder loses nothing.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from ...common.errors import UsageError
from ..caching.cached_only import refuse_if_cached_only
from ..storage.folder import Folder
from .exact import RESIDENT, Metric, Vectors, nearest, nearest_of
from .index_files import open_files
from .ivf import IvfIndex, squared_distances
from .tune import OperatingPoint

_EXACT_NUMBERS = 2 << 20
"""A filter that keeps fewer numbers (images x width) than this is answered exactly."""
_ALL_NUMBERS = 32 << 20
"""Beyond the index's reach as many numbers are compared exactly, in some hundredths of a second."""
_WIDER, _WIDE_CANDIDATES = 8, 1024
"""Beyond it where there are more: so many times the usual candidates, and at least so many."""
HELD = 128 << 20
"""As many numbers (512 MiB) are held in memory."""
_BLOCK = 1024

How = Literal["exact", "index", "graph", "wide"]
"""exact: every image was compared. index: the lists nearest to the query, with a measured recall. graph: so before the
query was asked, for every image, with its own measured recall. wide: all lists and more candidates, because the
neighbours are farther away than any that the index was tuned on; its recall is unknown."""


class Found(NamedTuple):
    """distances: (k,) float32; ids: (k,) int64; inf and -1 where there are fewer."""

    distances: np.ndarray
    ids: np.ndarray
    how: How


@dataclass(frozen=True)
class NeighborIndex:
    """The neighbours of any feature, approximate (re-ranked exactly) or exact. Threads may share it.

    metric: what the index was built for. points: ascending in k; empty for a flat index.
    manifest: `ann/ann.json`, with the measured recall.

    >>> from unitscope.index.neighbors import NeighborIndex
    >>> from unitscope.index.store import Store
    >>> store = Store.open("store")
    >>> index = NeighborIndex.open(store.folder, store=store.manifest.hash)
    >>> index.find(store.feature(7), 3, exclude=7).ids
    array([ 6, 14, 15])
    """

    vectors: Vectors
    metric: Metric
    index: IvfIndex | None
    points: tuple[OperatingPoint, ...]
    manifest: dict[str, Any]

    @staticmethod
    def open(
        folder: Folder,
        *,
        store: str | None = None,
        resident: int = RESIDENT,
        serving: bool = False,
        held: int = HELD,
    ) -> "NeighborIndex":
        """Open what the build wrote, each file compared with its SHA-256 before it is used.

        At most `held` numbers of features are read into memory. More of them are mapped (of a bucket, a copy), or, when
        `serving`, read by position from the disk, so that a file that is truncated meanwhile is an error and no end of
        the process; they are compared in the background then, and asking for one waits for that.

        store: the hash of the store's manifest, if the index must belong to it. resident: bytes of the mapped features
        that may stay in memory.
        raises: NotBuiltError without an index; OutdatedError for one of another sweep or version; StoreDamagedError.
        """
        files = open_files(folder, store=store, resident=resident, serving=serving, held=held)
        return NeighborIndex(
            files.vectors, files.manifest["metric"], files.index, files.points, files.manifest
        )

    @property
    def images(self) -> int:
        """Rows, those without a feature among them."""
        return len(self.vectors.features)

    @property
    def in_memory(self) -> bool:
        """Whether the features are in memory: no search waits for the disk."""
        return isinstance(self.vectors.features, np.ndarray) and self.vectors.features.size <= HELD

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exact: bool = False,
        exclude: np.ndarray | None = None,
        allowed: np.ndarray | None = None,
        metric: Metric | None = None,
        threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the k nearest images: distances (queries, k) float32, ids (queries, k) int64, by (distance, id)
        ascending.

        L2 distances (not squared), or 1 - cosine. Where there are fewer than k, inf and -1 follow.
        queries: (queries, width) float32. exclude: (queries,) ids, each left out of its query's answer; -1 for none.
        allowed: (images,) bool, the images that may be returned; few of them are searched exactly. metric: another
        metric than the index's is answered exactly. raises: UsageError.
        """
        queries, exclude = self._checked(queries, k, exclude, allowed, metric)
        point = self.point(k)
        if exact or point is None or self.index is None or self.is_exact(k, metric=metric, allowed=allowed):
            return self._exactly(queries, k, metric or self.metric, allowed, exclude)
        found, found_ids = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        for first in range(0, len(queries), _BLOCK):
            block = slice(first, first + _BLOCK)
            probes = point.probes if allowed is None else self.index.lists
            candidates = self._candidates(
                self.index, queries[block], point.candidates, probes, allowed=allowed, threads=threads
            )
            for row, among in enumerate(candidates, first):
                left_out = -1 if exclude is None else int(exclude[row])
                one = self._within(queries[row], k, among, left_out, point.reach) or self._beyond(
                    self.index, queries[row], k, point, left_out=left_out, allowed=allowed
                )
                found[row], found_ids[row] = one.distances, one.ids
        return found, found_ids

    def find(
        self,
        query: np.ndarray,
        k: int,
        *,
        exact: bool = False,
        exclude: int = -1,
        allowed: np.ndarray | None = None,
        metric: Metric | None = None,
    ) -> Found:
        """Do the same as `search` for one query (width,) float32, and how it was found."""
        queries, left_out = self._checked(query[None], k, np.array([exclude]), allowed, metric)
        point = self.point(k)
        if exact or point is None or self.index is None or self.is_exact(k, metric=metric, allowed=allowed):
            found, ids = self._exactly(queries, k, metric or self.metric, allowed, left_out)
            return Found(found[0], ids[0], "exact")
        probes = point.probes if allowed is None else self.index.lists
        among = self._candidates(self.index, queries, point.candidates, probes, allowed=allowed)[0]
        return self._within(queries[0], k, among, exclude, point.reach) or self._beyond(
            self.index, queries[0], k, point, left_out=exclude, allowed=allowed
        )

    def is_exact(self, k: int, *, metric: Metric | None = None, allowed: np.ndarray | None = None) -> bool:
        """Return whether `search` compares every image unasked: the index cannot answer this, or few images are
        allowed.
        """
        if self.index is None or self.point(k) is None or metric not in (None, self.metric):
            return True
        width = self.vectors.features.shape[1]
        return allowed is not None and int(np.count_nonzero(allowed)) * width <= _EXACT_NUMBERS

    def point(self, k: int) -> OperatingPoint | None:
        """Return how the index is searched for k neighbours; None where it was tuned for fewer."""
        return next((point for point in self.points if point.k >= k), None)

    def _exactly(
        self,
        queries: np.ndarray,
        k: int,
        metric: Metric,
        allowed: np.ndarray | None,
        exclude: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        refuse_if_cached_only()
        among = None if allowed is None else np.flatnonzero(allowed)
        return nearest(self.vectors, queries, k, metric=metric, among=among, exclude=exclude)

    def _candidates(
        self,
        index: IvfIndex,
        queries: np.ndarray,
        count: int,
        probes: int,
        *,
        allowed: np.ndarray | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        """Return a filter opens every list: what it keeps may lie far from the query, where few lists would miss it."""
        if self.metric == "cosine":
            lengths = np.sqrt((queries.astype(np.float64) ** 2).sum(axis=1))
            queries = (queries / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
        count = min(count + 1, index.rows)
        return index.candidates(queries, count, probes, allowed=allowed, threads=threads)

    def _within(
        self, query: np.ndarray, k: int, ids: np.ndarray, left_out: int, reach: float
    ) -> Found | None:
        """Return the nearest of some candidates; None where they are too few, or farther away than any that the index
        was tuned on.
        """
        ids = ids[(ids >= 0) & (ids != left_out)]
        if len(ids) < k:
            return None
        squares = squared_distances(self.vectors.features, query[None], ids[None])[0]
        self.vectors.pages.read(len(ids))
        distances, found = nearest_of(self.vectors, query, ids, k, self.metric, squares=squares)
        return Found(distances, found, "index") if distances[-1] <= reach else None

    def _beyond(
        self,
        index: IvfIndex,
        query: np.ndarray,
        k: int,
        point: OperatingPoint,
        *,
        left_out: int,
        allowed: np.ndarray | None,
    ) -> Found:
        """Return where nothing is known of the recall: every image is compared or, where those are too many, more
        candidates from all lists.
        """
        refuse_if_cached_only()
        images = self.images if allowed is None else int(np.count_nonzero(allowed))
        if images * self.vectors.features.shape[1] <= _ALL_NUMBERS:
            found, ids = self._exactly(query[None], k, self.metric, allowed, np.array([left_out]))
            return Found(found[0], ids[0], "exact")
        count = max(_WIDE_CANDIDATES, _WIDER * point.candidates)
        among = self._candidates(index, query[None], count, index.lists, allowed=allowed)[0]
        among = among[(among >= 0) & (among != left_out)]
        self.vectors.pages.read(len(among))
        return Found(*nearest_of(self.vectors, query, among, k, self.metric), "wide")

    def _checked(
        self,
        queries: np.ndarray,
        k: int,
        exclude: np.ndarray | None,
        allowed: np.ndarray | None,
        metric: str | None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        width = self.vectors.features.shape[1]
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != width:
            raise UsageError(f"A query is a feature of {width} numbers; this has the shape {queries.shape}.")
        if not np.isfinite(queries).all():
            raise UsageError(
                "A query feature holds NaN or infinite numbers; only finite ones have neighbours."
            )
        if k < 1:
            raise UsageError(f"k = {k}: ask for at least one neighbour.")
        if metric not in (None, "l2", "cosine"):
            raise UsageError(f"There is no metric {metric!r}; there are 'l2' and 'cosine'.")
        if exclude is not None:
            exclude = np.asarray(exclude, np.int64)
            if exclude.shape != (len(queries),):
                raise UsageError(
                    f"`exclude` needs one id for each of {len(queries)} queries, not {exclude.shape}."
                )
        if allowed is not None and (allowed.dtype != bool or allowed.shape != (self.images,)):
            raise UsageError(
                f"`allowed` needs one bool for each of {self.images} images, not {allowed.shape}."
            )
        return queries, exclude
