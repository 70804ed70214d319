"""Builds the approximate index: copies the features, chooses, trains and tunes it, and measures what it answers."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...common.errors import UsageError
from ...common.progress import SILENT, Progress
from ..format.sealed import sealed
from ..storage.folder import Folder
from ..store.features import FeatureBlock
from .choice import DEFAULT_MEMORY, AnnChoice, choose, factory
from .exact import Metric, Vectors, chunks, measure_lengths, nearest
from .index import NeighborIndex
from .index_files import FEATURES, INDEX, LENGTHS, MANIFEST, VERSION
from .ivf import FAISS_VERSION, IvfIndex
from .pca import fit_projection
from .subset import fill
from .tune import MOST_CANDIDATES, NEIGHBOURS, OperatingPoint, choose_dimensions, prepared, tune

_MOST_QUERIES = 512
_FEWEST_QUERIES = 64
_TRUTH_WORK = 2e12
"""Multiplications that the exact answers to one set of queries may take."""
_PROJECTION_ROWS = 32_768
_DIMENSION_QUERIES = 128


@dataclass(frozen=True)
class AnnReport:
    """What was built: `manifest` is `ann/ann.json`.

    kind: "flat" or "ivf". recall: of the 10 nearest, measured on `queries` images that the tuning did not see (1.0
    for flat: it is exact). left_out: images that have a feature which is not finite.
    """

    kind: str
    images: int
    rows: int
    recall: float
    queries: int
    left_out: int
    seconds: float
    manifest: dict[str, Any]


def blocks_of(features: np.ndarray, valid: np.ndarray | None = None) -> Iterator[FeatureBlock]:
    """Yield an array (images, width) as the blocks that `build` reads. valid: (images,) bool."""
    present = np.ones(len(features), bool) if valid is None else valid
    for start, stop in chunks(len(features), features.shape[1]):
        yield FeatureBlock(start, np.asarray(features[start:stop]), present[start:stop])


def build(
    blocks: Iterable[FeatureBlock],
    width: int,
    folder: Folder,
    *,
    store: str = "",
    metric: Metric = "l2",
    memory: int = DEFAULT_MEMORY,
    threads: int = 1,
    seed: int = 0,
    choice: AnnChoice | None = None,
    progress: Progress = SILENT,
) -> AnnReport:
    """Write `ann/` into the store's folder, its manifest last.

    blocks: all features in image_id order (`FeatureReader.blocks()`). store: the hash of the store's manifest.
    memory: bytes that the index may hold. choice: instead of `choose`'s.
    """
    if metric not in ("l2", "cosine"):
        raise UsageError(f"There is no metric {metric!r}; there are 'l2' and 'cosine'.")
    began = time.perf_counter()
    folder.remove(MANIFEST)
    vectors, left_out, files = _copy(blocks, width, folder, progress)
    rows = int(vectors.valid.sum())
    choice = choice or choose(rows, width)
    builder = _Builder(
        vectors, metric=metric, choice=choice, memory=memory, threads=threads, seed=seed, progress=progress
    )
    index, points = builder.build() if choice.kind == "ivf" else (None, [])
    if index is None:
        folder.remove(INDEX)
    else:
        files[INDEX] = _write(folder, INDEX, index)
    manifest: dict[str, Any] = {
        "version": VERSION,
        "store": store,
        "type": "flat" if index is None else "ivf",
        "factory": builder.factory,
        "metric": metric,
        "images": len(vectors.features),
        "rows": rows,
        "width": width,
        "left_out": left_out,
        "dimensions": index.dimensions if index else width,
        "seed": seed,
        "points": [asdict(point) for point in points],
        "faiss": FAISS_VERSION,
        "files": files,
    }
    manifest |= builder.measure(NeighborIndex(vectors, metric, index, tuple(points), manifest))
    seconds = time.perf_counter() - began
    manifest["seconds"] = round(seconds, 3)
    folder.publish(MANIFEST, sealed(manifest))
    recall, queries = float(manifest["recall_at_10"]), int(manifest["queries"])
    return AnnReport(
        manifest["type"], len(vectors.features), rows, recall, queries, left_out, seconds, manifest
    )


class _Builder:
    """One build in memory; the steps share the features and the options."""

    def __init__(
        self,
        vectors: Vectors,
        *,
        metric: Metric,
        choice: AnnChoice,
        memory: int,
        threads: int,
        seed: int,
        progress: Progress,
    ) -> None:
        self.vectors, self.choice = vectors, choice
        self.metric: Metric = metric
        self.memory, self.threads, self.seed, self.progress = memory, threads, seed, progress
        self.factory = "Flat"
        self.ids = np.flatnonzero(vectors.valid)
        self.random = np.random.default_rng(seed)
        most = int(_TRUTH_WORK / max(1, len(self.ids) * vectors.features.shape[1]))
        each = min(max(_FEWEST_QUERIES, min(_MOST_QUERIES, most)), len(self.ids) // 2)
        picked = self.random.choice(self.ids, 2 * each, replace=False)
        self.tuning, self.held_out = np.sort(picked[:each]), np.sort(picked[each:])

    def build(self) -> tuple[IvfIndex | None, list[OperatingPoint]]:
        """Return the index, or none where no index reaches the recall: exact search then answers."""
        truth, truth_ids = self.exact(self.tuning, max(NEIGHBOURS))
        sample = self.sample(_PROJECTION_ROWS)
        projection = fit_projection(sample, max(self.choice.dimensions), self.seed)
        some = slice(None, _DIMENSION_QUERIES)
        sizes = choose_dimensions(
            self.vectors,
            projection,
            self.choice.dimensions,
            self.tuning[some],
            truth_ids[some, :10],
            metric=self.metric,
        )
        training = self.sample(self.choice.training)
        for size in (sizes[0], max(sizes)):
            self.factory = factory(self.choice, len(self.ids), size, self.memory)
            with self.progress.stage(f"learning {self.choice.lists} lists of {size} dimensions"):
                index = IvfIndex.train(self.factory, projection.first(size), training, self.seed)
            self.fill(index)
            points = self.tune(index, truth)
            if points and points[0].k == NEIGHBOURS[0]:
                return index, points
        self.factory = "Flat"
        return None, []

    def exact(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        with self.progress.stage("exact neighbours to measure against", len(queries), "images"):
            rows = np.asarray(self.vectors.features[queries])
            return nearest(self.vectors, rows, k, metric=self.metric, exclude=queries)

    def sample(self, rows: int) -> np.ndarray:
        """Return (rows, width) float32: rows chosen at random, in id order."""
        if rows < len(self.ids):
            return prepared(
                self.vectors, np.sort(self.random.choice(self.ids, rows, replace=False)), self.metric
            )
        return prepared(self.vectors, self.ids, self.metric)

    def fill(self, index: IvfIndex) -> None:
        with self.progress.stage("indexing", len(self.ids), "images") as stage:
            for ids in fill(index, self.vectors, self.ids, self.metric):
                stage.advance(len(ids))

    def tune(self, index: IvfIndex, truth: np.ndarray) -> list[OperatingPoint]:
        queries = prepared(self.vectors, self.tuning, self.metric)

        def search(probes: int) -> tuple[np.ndarray, float]:
            count = min(MOST_CANDIDATES, len(self.ids))
            found = index.candidates(queries, count, probes, threads=self.threads)
            return found, index.scanned(queries, probes)

        with self.progress.stage("measuring recall", len(self.tuning), "images"):
            return tune(
                search,
                self.vectors,
                self.tuning,
                truth,
                metric=self.metric,
                lists=index.lists,
                dimensions=index.dimensions,
            )

    def measure(self, ann: NeighborIndex) -> dict[str, Any]:
        """Return the recall of the 10 nearest on images that the tuning did not see, and the time of single
        searches.
        """
        queries, k = self.held_out, 10
        if ann.index is None:
            return {"recall_at_10": 1.0, "queries": 0}
        truth, _ = self.exact(queries, k)
        rows = np.asarray(self.vectors.features[queries])
        found = np.empty_like(truth)
        times = np.empty(len(queries))
        for row in range(len(queries)):
            began = time.perf_counter()
            found[row] = ann.search(rows[row : row + 1], k, exclude=queries[row : row + 1])[0]
            times[row] = time.perf_counter() - began
        hits = (found <= truth[:, -1:]).sum(axis=1)
        recall = float((hits / k).mean())
        return {
            "recall_at_10": recall,
            "queries": len(queries),
            "search_ms": round(float(np.median(times)) * 1e3, 4),
        }


def _copy(
    blocks: Iterable[FeatureBlock], width: int, folder: Folder, progress: Progress
) -> tuple[Vectors, int, dict[str, Any]]:
    """Write the raw features and their lengths; gives them mapped, the rows that were not finite, and the files."""
    lengths: list[np.ndarray] = []
    left_out = 0
    digest = hashlib.sha256()
    with folder.writer(FEATURES) as file, progress.stage("copying features", None, "images") as stage:
        for block in blocks:
            rows = np.where(block.valid[:, None], block.values, 0).astype(np.float32)
            if rows.shape[1] != width:
                raise UsageError(f"A block of features has {rows.shape[1]} columns, not {width}.")
            finite = np.isfinite(rows).all(axis=1)
            left_out += int((~finite).sum())
            rows[~finite] = 0
            lengths.append(np.where(finite & block.valid, measure_lengths(rows), np.nan))
            digest.update(rows.data)
            file.write(rows.data)
            stage.advance(len(rows))
        file.flush()
        every = np.concatenate(lengths) if lengths else np.empty(0)
        features = np.empty((0, width), np.float32)
        if len(every):
            features = np.asarray(np.memmap(file, np.float32, "r", shape=(len(every), width)))
    folder.publish(LENGTHS, every.tobytes())
    files = {
        FEATURES: {"size": features.nbytes, "sha256": digest.hexdigest()},
        LENGTHS: {"size": every.nbytes, "sha256": hashlib.sha256(every.tobytes()).hexdigest()},
    }
    return Vectors(features, every, np.isfinite(every)), left_out, files


def _write(folder: Folder, name: str, index: IvfIndex) -> dict[str, Any]:
    with folder.writer(name) as file:
        index.write(file)
    return {"size": folder.size(name), "sha256": folder.sha256(name)}
