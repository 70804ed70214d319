"""Exact nearest neighbours in numpy: what every other answer about neighbours is measured against.

Neighbours are ordered by (distance as float32, image_id). Distances are computed in float64 and rounded once, so an
approximate search that re-ranks with `distances` gives the same values as an exact one.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..storage.memory_map import Pages
from ..storage.row_file import RowFile

Metric = Literal["l2", "cosine"]

_NOTHING = np.empty((0, 1), np.float32)
_CHUNK_BYTES = 16 << 20
RESIDENT = 256 << 20
"""Bytes of mapped features that a search leaves in memory, unless it is told another number."""
RESIDENT_OF_JOBS = 2 << 30
"""The same while something is built from all features."""
_QUERIES = 256
"""Queries that share one pass over the features."""


@dataclass(frozen=True)
class Vectors:
    """The features of a store.

    features: (images, width) float32, row = image_id, in memory, mapped, or read from the disk.
    lengths: (images,) float64, the rows' L2 norms.
    valid: (images,) bool; the other images have no feature and are never returned. resident: bytes of mapped features
    that may stay in memory. pages: who reads rows says so here.
    """

    features: np.ndarray | RowFile
    lengths: np.ndarray
    valid: np.ndarray
    resident: int = RESIDENT
    pages: Pages = field(init=False)

    def __post_init__(self) -> None:
        mapped = self.features if isinstance(self.features, np.ndarray) else _NOTHING
        object.__setattr__(self, "pages", Pages(mapped, self.resident))

    @classmethod
    def of(cls, features: np.ndarray, valid: np.ndarray | None = None) -> "Vectors":
        """Make it with the lengths computed; rows that are not finite count as having no feature."""
        lengths = measure_lengths(features)
        finite = np.isfinite(lengths)
        return cls(features, lengths, finite if valid is None else finite & valid)


def measure_lengths(features: np.ndarray) -> np.ndarray:
    """Return (rows,) float64: the L2 norm of each row."""
    lengths = np.empty(len(features))
    for start, stop in chunks(len(features), features.shape[1]):
        rows = features[start:stop].astype(np.float64)
        lengths[start:stop] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return lengths


def chunks(rows: int, width: int) -> list[tuple[int, int]]:
    """Return [start, stop) of runs of rows of about 16 MiB of float32."""
    step = max(1, _CHUNK_BYTES // (4 * max(1, width)))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def distances(vectors: Vectors, query: np.ndarray, ids: np.ndarray, metric: Metric) -> np.ndarray:
    """Return (ids,) float32: of `query` (width,) float32 to these images; L2 (not squared), or 1 - cosine.

    The cosine of a zero vector with anything is 0.
    """
    rows = vectors.features.take(ids, axis=0).astype(np.float64)
    if metric == "l2":
        rows -= query
        rows *= rows
        return np.sqrt(rows.sum(axis=1)).astype(np.float32)
    rows *= query
    scale = vectors.lengths[ids] * np.sqrt((query.astype(np.float64) ** 2).sum())
    cosine = np.divide(rows.sum(axis=1), scale, out=np.zeros(len(ids)), where=scale > 0)
    return np.maximum(0, 1 - cosine).astype(np.float32)


def rank(values: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest, as distances (k,) and ids (k,), padded with inf and -1; of equal distances the lower id."""
    order = np.lexsort((ids, values))[:k]
    ranked, ranked_ids = np.full(k, np.inf, np.float32), np.full(k, -1, np.int64)
    ranked[: len(order)], ranked_ids[: len(order)] = values[order], ids[order]
    return ranked, ranked_ids


def nearest_of(
    vectors: Vectors,
    query: np.ndarray,
    ids: np.ndarray,
    k: int,
    metric: Metric,
    *,
    squares: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest of a few candidates: distances (k,) float32 and ids (k,) int64, as `rank` gives them.

    query: (width,) float32. ids: (candidates,) int64, with features. A float32 pass first drops what is surely
    too far: its relative error is at most (width + 3) * 2**-24. squares: (ids,) float32, the squared L2 distances
    of such a pass where it was made already.
    """
    if metric == "l2" and len(ids) > 2 * k:
        if squares is None:
            gaps = vectors.features.take(ids, axis=0)
            gaps -= query
            squares = np.asarray(np.einsum("ij,ij->i", gaps, gaps))
        limit = np.partition(squares, k - 1)[k - 1] * (1 + 4 * (len(query) + 3) * 2.0**-24)
        ids = ids[squares <= limit]
    return rank(distances(vectors, query, ids, metric), ids, k)


def nearest(
    vectors: Vectors,
    queries: np.ndarray,
    k: int,
    *,
    metric: Metric = "l2",
    among: np.ndarray | None = None,
    exclude: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest images of each query: distances (queries, k) float32 and ids (queries, k) int64.

    queries: (queries, width) float32, finite. among: (m,) int64 ids that may be returned. exclude: (queries,) the
    image that each query leaves out, or -1. Where there are fewer than k, inf and -1 follow.
    """
    found, found_ids = (
        np.full((len(queries), k), np.inf, np.float32),
        np.full((len(queries), k), -1, np.int64),
    )
    excluded = np.full(len(queries), -1) if exclude is None else exclude
    for first in range(0, len(queries) if k else 0, _QUERIES):
        block = slice(first, first + _QUERIES)
        search = _Search(vectors, queries[block], k, metric, excluded[block])
        search.run(among)
        found[block], found_ids[block] = search.found, search.found_ids
    return found, found_ids


class _Search:
    """One pass over the features for a block of queries.

    A float32 matrix product bounds each distance from both sides; only what may be among the k nearest is then
    computed exactly. Its error is at most width * 2**-24 * |x| * |q| (Higham 2002, section 3.1).
    """

    def __init__(
        self, vectors: Vectors, queries: np.ndarray, k: int, metric: Metric, exclude: np.ndarray
    ) -> None:
        self.vectors, self.queries, self.k, self.exclude = vectors, queries, k, exclude
        self.metric: Metric = metric
        self.lengths = measure_lengths(queries)
        self.error = (queries.shape[1] + 2) * 2.0**-24
        self.found = np.full((len(queries), k), np.inf, np.float32)
        self.found_ids = np.full((len(queries), k), -1, np.int64)

    def run(self, among: np.ndarray | None) -> None:
        rows = len(self.vectors.features) if among is None else len(among)
        for start, stop in chunks(rows, self.queries.shape[1]):
            if among is None:
                ids, block = np.arange(start, stop), self.vectors.features[start:stop]
            else:
                ids = among[start:stop]
                block = self.vectors.features.take(ids, axis=0)
            self.scan(ids, _products(block, self.queries))
            self.vectors.pages.read(len(ids))

    def scan(self, ids: np.ndarray, products: np.ndarray) -> None:
        """Scan products. products: (queries, ids) float, the inner products."""
        lengths, valid = self.vectors.lengths[ids], self.vectors.valid[ids]
        everything_valid = bool(valid.all())
        for query in range(len(self.queries)):
            low, high = self.bounds(products[query], lengths, self.lengths[query])
            if not everything_valid:
                low[~valid] = high[~valid] = np.inf
            wanted = self.k + (self.exclude[query] >= 0)
            limit = self.limit(query)
            if len(high) > wanted:
                limit = min(limit, np.partition(high, wanted - 1)[wanted - 1])
            near = np.flatnonzero(low <= limit * (1 + 1e-6))
            near = near[valid[near] & (ids[near] != self.exclude[query])]
            if len(near):
                self.keep(query, ids[near])

    def bounds(
        self, products: np.ndarray, lengths: np.ndarray, length: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper bounds of the squared L2 or cosine distances."""
        lengths = np.where(np.isfinite(lengths), lengths, 0)
        products = np.nan_to_num(products, copy=False, posinf=0.0, neginf=0.0)  # absent rows
        scale = lengths * length
        if self.metric == "l2":
            middle = lengths**2 + length**2 - 2.0 * products.astype(np.float64)
            slack = 2 * self.error * scale + 1e-15 * (lengths**2 + length**2)
            return np.maximum(0, middle - slack), middle + slack
        middle = 1 - np.divide(products, scale, out=np.zeros(len(scale)), where=scale > 0)
        return np.maximum(0, middle - self.error), np.maximum(0, middle) + self.error

    def limit(self, query: int) -> float:
        """Return the bound that a row must not exceed to be among the k nearest found so far."""
        worst = float(self.found[query, -1])
        return worst * worst if self.metric == "l2" else worst

    def keep(self, query: int, ids: np.ndarray) -> None:
        near = np.concatenate(
            [self.found[query], distances(self.vectors, self.queries[query], ids, self.metric)]
        )
        near_ids = np.concatenate([self.found_ids[query], ids])
        self.found[query], self.found_ids[query] = rank(near, near_ids, self.k)


def _products(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return (queries, rows): inner products, in float64 where float32 overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        products = queries @ rows.T
        if np.isfinite(products).all():
            return products
        return queries.astype(np.float64) @ rows.T.astype(np.float64)
