"""Maps of the dataset: UMAP, t-SNE or PCA, from one kNN graph; the only importer of umap and openTSNE.

Both start from the principal components, so that the large structure is the data's own; the same seed gives the
same bytes on the same machine.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..common.errors import UsageError
from ..common.progress import SILENT, Progress
from .exact import Vectors, chunks
from .knn import KnnGraph
from .pca import fit_projection

Method = Literal["umap", "tsne", "pca"]
METHODS: tuple[Method, ...] = ("umap", "tsne", "pca")

_PCA_ROWS = 65_536
_FEWEST = 4
"""Fewer images than this have no neighbourhoods worth the name, and get their principal components."""
_MIN_DISTANCE = 0.1
_SPREAD = 1.0


@dataclass(frozen=True)
class Layout:
    """coordinates: (n, 2) float32, row i for image `graph.images[i]`. settings: for the manifest."""

    coordinates: np.ndarray
    settings: dict[str, Any]


def project(
    vectors: Vectors, graph: KnnGraph, method: Method = "umap", *, seed: int = 0, progress: Progress = SILENT
) -> Layout:
    """The map of the images of `graph`, whose rows are `graph.images`. raises: UsageError for an unknown method."""
    if method not in METHODS:
        raise UsageError(f"There is no method {method!r}; there are {', '.join(METHODS)}.")
    with progress.stage("principal components", len(graph.images), "images"):
        components, explained = _components(vectors, graph.images, seed)
    settings: dict[str, Any] = {"method": method, "seed": seed, "neighbours": graph.k, "recall": graph.recall}
    if method == "pca" or len(graph.images) < _FEWEST:
        return Layout(components, settings | {"method": "pca", "explained": explained})
    start = _spread(components, seed)
    with progress.stage(f"laying out by {method}", len(graph.images), "images"):
        coordinates = _umap(graph, start, seed) if method == "umap" else _tsne(graph, start, seed)
    return Layout(np.ascontiguousarray(coordinates, np.float32), settings)


def _components(vectors: Vectors, images: np.ndarray, seed: int) -> tuple[np.ndarray, list[float]]:
    """(n, 2) float32: the first two principal components of these images, and their shares of the variance."""
    coordinates = np.zeros((len(images), 2), np.float32)
    if not len(images):
        return coordinates, []
    sample = images
    if len(images) > _PCA_ROWS:
        sample = np.sort(np.random.default_rng(seed).choice(images, _PCA_ROWS, replace=False))
    projection = fit_projection(vectors.features[sample], 2, seed)
    for start, stop in chunks(len(images), vectors.features.shape[1]):
        found = projection.apply(vectors.features[images[start:stop]])
        coordinates[start:stop, : found.shape[1]] = found
    return coordinates, [round(float(share), 6) for share in projection.explained]


def _spread(components: np.ndarray, seed: int) -> np.ndarray:
    """(n, 2) float64, standard deviation 1 in the first axis, no two alike: equal points could never part."""
    deviation = float(components[:, 0].std(dtype=np.float64))
    start = components.astype(np.float64) / (deviation or 1.0)
    return start + np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)


def _umap(graph: KnnGraph, start: np.ndarray, seed: int) -> np.ndarray:
    """McInnes, Healy & Melville 2018, with umap-learn's defaults; an image counts as its own first neighbour."""
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    own = np.arange(len(graph.images))[:, None]
    random = np.random.RandomState(seed)
    indices = np.hstack([own, graph.neighbours]).astype(np.int32)
    distances = np.hstack([np.zeros(own.shape, np.float32), graph.distances])
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
        n_epochs=None,
        init=start,
        random_state=random,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return coordinates[0]


def _tsne(graph: KnnGraph, start: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE with a uniform kernel over the graph's neighbours.

    Source: Böhm, Berens & Kobak 2022, who find it to give nearly the map of perplexity-calibrated similarities.
    """
    from openTSNE import TSNE
    from openTSNE.affinity import Uniform
    from openTSNE.initialization import rescale
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    neighbours: Any = PrecomputedNeighbors(graph.neighbours, graph.distances)
    affinities = Uniform(knn_index=neighbours)
    model = TSNE(n_components=2, random_state=seed, n_jobs=1)
    return np.asarray(model.fit(affinities=affinities, initialization=rescale(start)))
