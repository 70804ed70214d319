"""Chooses, by measuring on the features themselves, the PCA dimensions and the operating points of an index.

Costs are a fixed model in nanoseconds, not a clock, so that the same features always give the same index. What is
measured is recall.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .exact import Metric, Vectors, chunks
from .pca import Projection

TARGET = 0.995
"""Recall that an operating point must show on the tuning queries, so that others see at least 0.99."""
NEIGHBOURS = (10, 30, 100)
"""Each of these k gets an operating point; a search uses the first that is at least its own k."""
MOST_CANDIDATES = 512
_ROWS = 4096
"""Images whose features are read before pages are let go of."""
_SCAN = 0.25
"""Nanoseconds for each number of a code that is scanned."""
_VISIT = 300.0
"""Nanoseconds for each list that is opened."""


@dataclass(frozen=True)
class OperatingPoint:
    """How to search for up to `k` neighbours.

    probes: lists to open. candidates: to re-rank. recall: when tuned. reach: the largest distance of a k-th neighbour
    when tuned; beyond it nothing is known of the recall.
    """

    k: int
    probes: int
    candidates: int
    recall: float
    reach: float


def prepared(vectors: Vectors, ids: np.ndarray | slice, metric: Metric) -> np.ndarray:
    """Return (ids, width) float32: the rows as the index sees them, of length 1 for cosine."""
    rows = _rows(vectors, ids)
    if metric == "l2":
        return rows
    lengths = vectors.lengths[ids]
    return rows / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]


def _rows(vectors: Vectors, ids: np.ndarray | slice) -> np.ndarray:
    """Return the features of some images; of many, a few at a time, whose pages are let go of."""
    if isinstance(ids, slice) or len(ids) <= _ROWS:
        rows = np.asarray(vectors.features[ids])
        vectors.pages.read(len(rows))
        return rows
    rows = np.empty((len(ids), vectors.features.shape[1]), np.float32)
    for start in range(0, len(ids), _ROWS):
        rows[start : start + _ROWS] = _rows(vectors, ids[start : start + _ROWS])
    return rows


def choose_dimensions(
    vectors: Vectors,
    projection: Projection,
    sizes: tuple[int, ...],
    queries: np.ndarray,
    truth: np.ndarray,
    *,
    metric: Metric,
) -> list[int]:
    """Return `sizes` in the order in which to try them: the cheapest expected search first.

    queries: (queries,) ids; truth: (queries, k) ids of their true neighbours. For each size it counts how many
    images come before each true neighbour in the projected space: that many must be re-ranked.
    """
    positions = _positions(vectors, projection, sizes, queries, truth, metric=metric)
    width, rows = vectors.features.shape[1], int(vectors.valid.sum())
    costs: dict[int, float] = {}
    for size, position in zip(sizes, positions, strict=True):
        needed = float(np.quantile(position, 0.998)) + 1
        scanned = rows / 40  # a typical share; it only weighs dimensions against candidates
        too_many = 1e12 if needed > MOST_CANDIDATES / 2 else 0.0
        costs[size] = scanned * size * _SCAN + needed * _candidate_cost(width) + too_many * needed
    return sorted(sizes, key=lambda size: costs[size])


def _positions(
    vectors: Vectors,
    projection: Projection,
    sizes: tuple[int, ...],
    queries: np.ndarray,
    truth: np.ndarray,
    *,
    metric: Metric,
) -> np.ndarray:
    """Return (sizes, queries, k) int64: images that are nearer to the query than its true neighbour, after
    projection.
    """
    centres = projection.apply(prepared(vectors, queries, metric))
    near = projection.apply(prepared(vectors, truth.ravel(), metric)).reshape(*truth.shape, -1)
    squares = np.cumsum((near - centres[:, None]) ** 2, axis=2)
    thresholds = [np.sort(squares[:, :, size - 1], axis=1) for size in sizes]
    positions = np.zeros((len(sizes), *truth.shape), np.int64)
    for start, stop in chunks(len(vectors.features), vectors.features.shape[1]):
        ids = start + np.flatnonzero(vectors.valid[start:stop])
        rows = projection.apply(prepared(vectors, ids, metric))
        gaps = np.zeros((len(queries), len(ids)), np.float32)
        for number, (first, size) in enumerate(zip((0, *sizes), sizes, strict=False)):
            part, centre = rows[:, first:size], centres[:, first:size]
            gaps += (part**2).sum(axis=1) + (centre**2).sum(axis=1)[:, None] - 2 * (centre @ part.T)
            for query, gap in enumerate(gaps):
                nearer = gap[gap < thresholds[number][query, -1]]
                before = np.searchsorted(np.sort(nearer), thresholds[number][query])
                positions[number, query] += before
    return positions


def _candidate_cost(width: int) -> float:
    """Return nanoseconds to fetch a row and compute its exact distance."""
    return 200 + 0.5 * width


def tune(
    search: Callable[[int], tuple[np.ndarray, float]],
    vectors: Vectors,
    queries: np.ndarray,
    truth: np.ndarray,
    *,
    metric: Metric,
    lists: int,
    dimensions: int,
) -> list[OperatingPoint]:
    """Return the cheapest operating point that holds TARGET, for each k of NEIGHBOURS that has one.

    search(probes) gives the candidates (queries, m) int64 in the index's order, perhaps the query itself among
    them, and the mean number of codes scanned.
    truth: (queries, max k) float32 exact distances, inf where there are fewer.
    """
    best: dict[int, tuple[float, OperatingPoint]] = {}
    # Of unit vectors the squared distance is 2 (1 - cosine); the slack is for the rounding of float32.
    limits = (truth.astype(np.float64) ** 2 if metric == "l2" else 2.0 * truth) * (1 + 1e-5) + 1e-12
    reach = {k: float(np.max(truth[:, :k], where=np.isfinite(truth[:, :k]), initial=0)) for k in NEIGHBOURS}
    for probes in _ladder(lists):
        candidates, scanned = search(probes)
        scan = scanned * dimensions * _SCAN + probes * _VISIT
        if all(k in best and best[k][0] <= scan for k in NEIGHBOURS):
            break
        squares = _squares(vectors, queries, candidates, metric)
        for k in NEIGHBOURS:
            recalls = _recalls(squares, limits[:, :k])
            enough = np.flatnonzero(recalls >= TARGET)
            if not len(enough):
                continue
            count = max(k, int(enough[0]) + 1)
            cost = scan + count * _candidate_cost(vectors.features.shape[1])
            if k not in best or cost < best[k][0]:
                best[k] = cost, OperatingPoint(k, probes, count, float(recalls[count - 1]), reach[k])
    return [best[k][1] for k in NEIGHBOURS if k in best]


def _ladder(lists: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12, … up to all lists."""
    steps = {min(lists, step) for power in range(lists.bit_length() + 1) for step in (1 << power, 3 << power)}
    return sorted(steps)


def _squares(vectors: Vectors, queries: np.ndarray, candidates: np.ndarray, metric: Metric) -> np.ndarray:
    """Return (queries, m) float32: squared distances of the candidates as the index sees them; inf for -1 and for
    itself.
    """
    squares = np.full(candidates.shape, np.inf, np.float32)
    for row, (query, found) in enumerate(zip(queries, candidates, strict=True)):
        real = (found >= 0) & (found != query)
        gaps = prepared(vectors, found[real], metric) - prepared(vectors, np.array([query]), metric)
        squares[row, real] = np.einsum("ij,ij->i", gaps, gaps)
    return squares


def _recalls(squares: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return (m,) float64: the recall when the first 1, 2, … m candidates are re-ranked; equal distances count as
    found.
    """
    wanted = np.isfinite(limits).sum(axis=1)
    last = np.take_along_axis(limits, np.maximum(wanted - 1, 0)[:, None], axis=1)
    hits = np.cumsum(squares <= np.where(wanted > 0, last[:, 0], -1)[:, None], axis=1)
    return (np.minimum(hits, wanted[:, None]) / np.maximum(wanted, 1)[:, None]).mean(axis=0)
