"""Maps of the dataset: UMAP, t-SNE or PCA, from one kNN graph; the only importer of umap and openTSNE.

Both start from the principal components, so that the large structure is the data's own. Unless `fast`, the same seed
gives the same bytes on the same machine, for any number of threads.
"""

import io
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..common.errors import UsageError
from ..common.progress import SILENT, Progress, Stage
from .ann_tune import prepared
from .exact import Metric, Vectors, chunks
from .knn import NEIGHBOURS, KnnGraph
from .pca import fit_projection

Method = Literal["umap", "tsne", "pca"]
METHODS: tuple[Method, ...] = ("umap", "tsne", "pca")

_PCA_ROWS = 65_536
_FEWEST: dict[Method, int] = {"pca": 0, "umap": 4, "tsne": 16}
"""Fewer images than this get their principal components: they have no neighbourhoods worth the name, and t-SNE's early
exaggeration draws fewer than 13 into one point."""
_MIN_DISTANCE = 0.1
_SPREAD = 1.0
_FEW_IMAGES = 10_000
_EPOCHS = {"few": 500, "few, fast": 250, "many": 150, "many, fast": 100}
"""umap-learn's own are 500 and 200: from PCA the last of the 200 change the trustworthiness by less than 0.001."""
_EXAGGERATED, _ITERATIONS, _ITERATIONS_A_STEP = 250, 500, 25  # openTSNE's own, and how often it reports
_DEFAULT_NEIGHBOURS = 15
_LEAST_PERPLEXITY = 5


@dataclass(frozen=True)
class MapOptions:
    """How to make a map.

    fast: sooner, by approximations, and for UMAP with threads that race. neighbours: of each image that count; None for
    the method's own number. sample: at most so many images are laid out, and the others placed among them.
    """

    method: Method = "umap"
    seed: int = 0
    fast: bool = False
    neighbours: int | None = None
    sample: int = 1_000_000
    threads: int = 1

    def __post_init__(self) -> None:
        """Raises UsageError."""
        if self.method not in METHODS:
            raise UsageError(f"There is no method {self.method!r}; there are {', '.join(METHODS)}.")
        if self.neighbours is not None and not 2 <= self.neighbours <= NEIGHBOURS:
            raise UsageError(f"{self.neighbours} neighbours: give from 2 to {NEIGHBOURS}.")
        if self.sample < 100:
            raise UsageError(f"A sample of {self.sample} images: give at least 100.")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"The seed {self.seed}: give one from 0 to {2**32 - 1}.")

    @property
    def counted(self) -> int:
        """The neighbours that count: by default t-SNE's are those of openTSNE's perplexity of 30."""
        exact_tsne = self.method == "tsne" and not self.fast
        return self.neighbours or (NEIGHBOURS if exact_tsne else _DEFAULT_NEIGHBOURS)

    @property
    def reproducible(self) -> bool:
        """Whether the seed gives the same bytes again."""
        return not (self.fast and self.method == "umap")


@dataclass(frozen=True)
class Layout:
    """coordinates: (n, 2) float32, row i for image `graph.images[i]`. settings: for the manifest."""

    coordinates: np.ndarray
    settings: dict[str, Any]


def project(
    vectors: Vectors, graph: KnnGraph, options: MapOptions | None = None, *, progress: Progress = SILENT
) -> Layout:
    """The map of the images of `graph`, all of them laid out."""
    options = options or MapOptions()
    with progress.stage("principal components", len(graph.images), "images"):
        components, explained = _components(vectors, graph.images, graph.metric, options.seed)
    settings: dict[str, Any] = {"method": options.method, "seed": options.seed}
    settings |= {"fast": options.fast, "reproducible": options.reproducible}
    if options.method == "pca" or len(graph.images) < _FEWEST[options.method]:
        exact = {"fast": False, "reproducible": True, "explained": explained}
        return Layout(components, settings | {"method": "pca"} | exact)
    graph = graph.first(options.counted)
    settings |= {"neighbours": graph.k, "recall": graph.recall}
    start = _spread(components, options.seed)
    lay = _umap if options.method == "umap" else _tsne
    coordinates, how = lay(graph, start, options, progress)
    return Layout(np.ascontiguousarray(coordinates, np.float32), settings | how)


def _components(
    vectors: Vectors, images: np.ndarray, metric: Metric, seed: int
) -> tuple[np.ndarray, list[float]]:
    """(n, 2) float32: the first two principal components of these images, and their shares of the variance."""
    coordinates = np.zeros((len(images), 2), np.float32)
    if not len(images):
        return coordinates, []
    sample = images
    if len(images) > _PCA_ROWS:
        sample = np.sort(np.random.default_rng(seed).choice(images, _PCA_ROWS, replace=False))
    projection = fit_projection(prepared(vectors, sample, metric), 2, seed)
    for start, stop in chunks(len(images), vectors.features.shape[1]):
        found = projection.apply(prepared(vectors, images[start:stop], metric))
        coordinates[start:stop, : found.shape[1]] = found
    return coordinates, [round(float(share), 6) for share in projection.explained]


def _spread(components: np.ndarray, seed: int) -> np.ndarray:
    """(n, 2) float64, standard deviation 1 in the first axis, no two alike: equal points could never part."""
    deviation = float(components[:, 0].std(dtype=np.float64))
    start = components.astype(np.float64) / (deviation or 1.0)
    return start + np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)


def _umap(
    graph: KnnGraph, start: np.ndarray, options: MapOptions, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """McInnes, Healy & Melville 2018, with umap-learn's defaults but for the epochs; an image counts as its own
    first neighbour.

    fast: fewer epochs, and all threads move the points at once, without waiting for each other (Niu et al. 2011,
    "Hogwild!").
    """
    with progress.stage("loading umap"):
        from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    own = np.arange(len(graph.images))[:, None]
    random = np.random.RandomState(options.seed)
    indices = np.hstack([own, graph.neighbours]).astype(np.int32)
    distances = np.hstack([np.zeros(own.shape, np.float32), graph.distances])
    epochs = _EPOCHS[("few" if len(own) <= _FEW_IMAGES else "many") + (", fast" if options.fast else "")]
    with (
        _numba_threads(options.threads if options.fast else 1),
        progress.stage("laying out by umap", epochs, "epochs") as stage,
    ):
        weights: Any = fuzzy_simplicial_set(
            start, indices.shape[1], random, "euclidean", knn_indices=indices, knn_dists=distances
        )
        a, b = find_ab_params(_SPREAD, _MIN_DISTANCE)
        coordinates: Any = simplicial_set_embedding(
            data=start,
            graph=weights[0],
            n_components=2,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=epochs,
            init=start,
            random_state=random,
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
            parallel=options.fast,
            tqdm_kwds={"disable": False, "file": _Epochs(stage), "bar_format": "{n}", "leave": True},
        )
    return coordinates[0], {"epochs": epochs}


class _Epochs(io.StringIO):
    """Where umap-learn's tqdm writes how many epochs are done, and nothing else."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage, self._done = stage, 0

    def write(self, text: str) -> int:
        if text.strip().isdecimal():
            self._stage.advance(int(text) - self._done)
            self._done = int(text)
        return len(text)


@contextmanager
def _numba_threads(threads: int) -> Generator[None]:
    """umap-learn's sums depend on how many threads make them."""
    import numba

    before: int = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _tsne(
    graph: KnnGraph, start: np.ndarray, options: MapOptions, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """van der Maaten & Hinton 2008, by openTSNE (Poličar, Stražar & Zupan 2024) with its defaults.

    fast, or few neighbours: a uniform kernel over them, which gives nearly the map of perplexity-calibrated
    similarities (Böhm, Berens & Kobak 2022). fast: the repulsion is interpolated on a grid twice as coarse.
    """
    with progress.stage("loading openTSNE"):
        from openTSNE import TSNE
        from openTSNE.affinity import PerplexityBasedNN, Uniform
        from openTSNE.initialization import rescale
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

    neighbours: Any = PrecomputedNeighbors(graph.neighbours, graph.distances)
    perplexity: Any = graph.k / 3
    uniform = options.fast or perplexity < _LEAST_PERPLEXITY
    with progress.stage("laying out by tsne", _EXAGGERATED + _ITERATIONS, "iterations") as stage:

        def report(iteration: int, error: float, embedding: np.ndarray) -> None:
            stage.advance(_ITERATIONS_A_STEP)

        affinities = (
            Uniform(knn_index=neighbours)
            if uniform
            else PerplexityBasedNN(knn_index=neighbours, perplexity=perplexity, n_jobs=options.threads)
        )
        model = TSNE(
            early_exaggeration_iter=_EXAGGERATED,
            n_iter=_ITERATIONS,
            random_state=options.seed,
            n_jobs=options.threads,
            ints_in_interval=2 if options.fast else 1,
            callbacks=report,
            callbacks_every_iters=_ITERATIONS_A_STEP,
        )
        coordinates = model.fit(affinities=affinities, initialization=rescale(start))
    how = {"kernel": "uniform"} if uniform else {"kernel": "gaussian", "perplexity": perplexity}
    return np.asarray(coordinates), how | {"iterations": _EXAGGERATED + _ITERATIONS}
