"""The map of all images: laid out whole, or a sample of them laid out and the others placed among these."""

import numpy as np

from ...common.progress import SILENT, Progress
from ..neighbors.graph import KnnGraph, search_images
from ..neighbors.index import NeighborIndex
from ..neighbors.subset import holding
from .placement import NEIGHBOURS as PLACED_BY
from .placement import place
from .projection import Layout, MapOptions, project

_BLOCK = 65_536
_RARE = 4.0
"""Weights of the sample stay within this factor of the median's, so that no outlier is certain to be in it."""


def lay_out(
    ann: NeighborIndex, graph: KnnGraph, options: MapOptions | None = None, *, progress: Progress = SILENT
) -> Layout:
    """Return the map of the images of `graph`; above `options.sample` of them, of a density-aware sample first."""
    options = options or MapOptions()
    if len(graph.images) <= options.sample or options.method == "pca":
        graph = _with(ann, graph, options)
        return project(ann.vectors, graph, options, progress=progress)
    sample = density_aware_sample(graph, options.sample, options.seed)
    inside = np.zeros(len(graph.images), bool)
    inside[sample] = True
    with progress.stage("neighbours in the sample", len(sample), "images"):
        held = holding(ann, graph.images[sample])
        own = graph_within(held, graph, inside, sample, options.counted, threads=options.threads)
    layout = project(ann.vectors, own, options, progress=progress)
    coordinates = np.empty((len(graph.images), 2), np.float32)
    coordinates[sample] = layout.coordinates
    others = np.flatnonzero(~inside)
    with progress.stage("placing the other images", len(others), "images") as stage:
        for start in range(0, len(others), _BLOCK):
            rows = others[start : start + _BLOCK]
            near = graph_within(held, graph, inside, rows, PLACED_BY, threads=options.threads)
            coordinates[rows] = place(layout.coordinates, near.neighbours, near.distances)
            stage.advance(len(rows))
    return Layout(coordinates, layout.settings | {"sample": len(sample), "placed": len(others)})


def _with(ann: NeighborIndex, graph: KnnGraph, options: MapOptions) -> KnnGraph:
    """Return the graph with as many neighbours as count, which it has but for very many images."""
    if options.method == "pca" or min(options.counted, len(graph.images) - 1) <= graph.k:
        return graph
    everything = np.arange(len(graph.images))
    inside = np.ones(len(everything), bool)
    return graph_within(ann, graph, inside, everything, options.counted, threads=options.threads)


def density_aware_sample(graph: KnnGraph, size: int, seed: int) -> np.ndarray:
    """Return (size,) int64, rows of `graph`, ascending: the farther an image's neighbours, the likelier it is drawn.

    So a crowd is thinned before a rare kind of image disappears. Source: Efraimidis & Spirakis 2006 (sampling with
    weights, without replacement).
    """
    gaps = graph.distances[:, min(PLACED_BY, graph.k) - 1].astype(np.float64)
    middle = float(np.median(gaps)) or 1.0
    weights = np.clip(gaps / middle, 1 / _RARE, _RARE)
    keys = np.log(np.random.default_rng(seed).random(len(gaps))) / weights
    return np.sort(np.argsort(-keys, kind="stable")[:size])


def graph_within(
    ann: NeighborIndex, graph: KnnGraph, inside: np.ndarray, rows: np.ndarray, k: int, *, threads: int = 1
) -> KnnGraph:
    """Return, of the images `rows`, the k nearest among those `inside`: `neighbours` count among these, `images` are
    the rows'.

    ann: of the images inside. inside: (n,) bool. They are those of `graph`; images that have too few of them there are
    searched for.
    """
    k = min(k, int(inside.sum()) - 1)
    number = np.cumsum(inside, dtype=np.int32) - 1
    neighbours, distances = np.empty((len(rows), k), np.int32), np.empty((len(rows), k), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        known, gaps = graph.neighbours[rows[block]], graph.distances[rows[block]]
        kept = inside[known]
        order = np.argsort(~kept, axis=1, kind="stable")[:, :k]
        width = order.shape[1]
        neighbours[block, :width] = number[np.take_along_axis(known, order, 1)]
        distances[block, :width] = np.take_along_axis(gaps, order, 1)
        short = np.flatnonzero(kept.sum(axis=1) < k)
        if len(short):
            own = graph.images[rows[block][short]]
            ids, gaps = search_images(ann, own, k, threads=threads)
            neighbours[start + short] = number[np.searchsorted(graph.images, ids)]
            distances[start + short] = gaps
    return KnnGraph(graph.images[rows], neighbours, distances, graph.recall, graph.metric)
