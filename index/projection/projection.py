"""Maps of the dataset: UMAP, t-SNE or PCA, from one kNN graph; the only importer of umap and openTSNE.

Both start from the principal components, so that the large structure is the data's own. The same seed gives the same
bytes on the same machine, for any number of threads.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...common.errors import UsageError
from ...common.progress import SILENT, Progress
from ..neighbors.exact import Metric, Vectors, chunks
from ..neighbors.graph import NEIGHBOURS, KnnGraph
from ..neighbors.pca import fit_projection
from ..neighbors.tune import prepared

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

    fast: sooner, by approximations. neighbours: of each image that count; None for
    the method's own number. sample: at most so many images are laid out, and the others placed among them.
    """

    method: Method = "umap"
    seed: int = 0
    fast: bool = False
    neighbours: int | None = None
    sample: int = 1_000_000
    threads: int = 1

    def __post_init__(self) -> None:
        """Raise UsageError."""
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


@dataclass(frozen=True)
class Layout:
    """coordinates: (n, 2) float32, row i for image `graph.images[i]`. settings: for the manifest."""

    coordinates: np.ndarray
    settings: dict[str, Any]


def project(
    vectors: Vectors, graph: KnnGraph, options: MapOptions | None = None, *, progress: Progress = SILENT
) -> Layout:
    """Return the map of the images of `graph`, all of them laid out."""
    options = options or MapOptions()
    with progress.stage("principal components", len(graph.images), "images"):
        components, explained = _components(vectors, graph.images, graph.metric, options.seed)
        vectors.pages.let_go()
    settings: dict[str, Any] = {"method": options.method, "seed": options.seed}
    settings |= {"fast": options.fast, "reproducible": True}
    if options.method == "pca" or len(graph.images) < _FEWEST[options.method]:
        exact = {"fast": False, "explained": explained}
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
    """Return (n, 2) float32: the first two principal components of these images, and their shares of the variance."""
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
    """Return (n, 2) float64, standard deviation 1 in the first axis, no two alike: equal points could never part."""
    deviation = float(components[:, 0].std(dtype=np.float64))
    start = components.astype(np.float64) / (deviation or 1.0)
    return start + np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)


def _umap(
    graph: KnnGraph, start: np.ndarray, options: MapOptions, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return McInnes, Healy & Melville 2018, with umap-learn's graph and defaults but for the epochs, and a layout of
    our own; an image counts as its own first neighbour. fast: fewer epochs.
    """
    with progress.stage("loading umap"):
        from umap.umap_ import find_ab_params, fuzzy_simplicial_set

        from .umap import lay_out_neighbours

    own = np.arange(len(graph.images))[:, None]
    indices = np.hstack([own, graph.neighbours]).astype(np.int32)
    distances = np.hstack([np.zeros(own.shape, np.float32), graph.distances])
    epochs = _EPOCHS[("few" if len(own) <= _FEW_IMAGES else "many") + (", fast" if options.fast else "")]
    with progress.stage("laying out by umap", epochs, "epochs") as stage:
        with _one_numba_thread():
            weights: Any = fuzzy_simplicial_set(
                start,
                indices.shape[1],
                np.random.RandomState(options.seed),
                "euclidean",
                knn_indices=indices,
                knn_dists=distances,
            )
        a, b = find_ab_params(_SPREAD, _MIN_DISTANCE)
        coordinates = lay_out_neighbours(
            weights[0],
            start,
            a,
            b,
            epochs=epochs,
            seed=options.seed,
            threads=options.threads,
            done=stage.advance,
        )
    return coordinates, {"epochs": epochs}


@contextmanager
def _one_numba_thread() -> Generator[None]:
    """Return umap-learn's sums depend on how many threads make them."""
    import numba

    before: int = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _tsne(
    graph: KnnGraph, start: np.ndarray, options: MapOptions, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return van der Maaten & Hinton 2008, by openTSNE (Poličar, Stražar & Zupan 2024) with its defaults.

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
