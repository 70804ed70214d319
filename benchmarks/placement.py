"""Images placed on a finished map against the same images laid out with all others: how often their label is found.

    python -P benchmarks/placement.py STORE [--held 10000] [--methods umap tsne] [--seeded] [--threads 2]

STORE has labels and an index (`unitscope index`). Of its images `--held`, drawn by lot, are left out, the others are
laid out, and those placed among them by their features. Accuracy: the share of them whose label is the commonest of the
15 nearest of the others on the map. The same is measured on a map of all images, and in feature space. Maps are those
of `--fast` unless `--seeded`.
"""

import argparse
import json
import os
import sys
import time

import numpy as np
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
from unitscope.index.neighbors.graph import knn_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.neighbors.subset import holding
from unitscope.index.projection.placement import NEIGHBOURS, place_features
from unitscope.index.projection.projection import MapOptions, project
from unitscope.index.projection.sampled import graph_within
from unitscope.index.store.store import Store


def accuracy(near: np.ndarray, labels: np.ndarray, own: np.ndarray) -> float:
    """near: (n, NEIGHBOURS) rows of `labels`, codes of the kept images; own: (n,) codes."""
    return float(
        np.mean([np.bincount(labels[row]).argmax() == label for row, label in zip(near, own, strict=True)])
    )


def on_map(points: np.ndarray, queries: np.ndarray) -> np.ndarray:
    return np.asarray(cKDTree(points).query(queries, NEIGHBOURS)[1])


def measure(store: Store, options: MapOptions, held_out: int) -> dict[str, object]:
    """Return the accuracies of one method."""
    ann = NeighborIndex.open(store.folder, store=store.manifest.hash)
    graph = knn_graph(ann, threads=options.threads)
    labels = np.unique(store.images(["label"])["label"].to_pylist(), return_inverse=True)[1][graph.images]
    held = np.sort(np.random.default_rng(1).choice(len(labels), held_out, replace=False))
    inside = np.ones(len(labels), bool)
    inside[held] = False
    kept = np.flatnonzero(inside)
    within = holding(ann, graph.images[kept])
    own = graph_within(within, graph, inside, kept, options.counted, threads=options.threads)
    part = project(ann.vectors, own, options).coordinates
    began = time.perf_counter()
    features = np.array(ann.vectors.features[graph.images[held]])
    placed = place_features(ann, graph.images[kept], part, features, threads=options.threads)
    took = time.perf_counter() - began
    together = project(ann.vectors, graph, options).coordinates
    near = graph_within(within, graph, inside, held, NEIGHBOURS, threads=options.threads).neighbours
    found = {
        "placed": accuracy(on_map(part, placed), labels[kept], labels[held]),
        "together": accuracy(on_map(together[kept], together[held]), labels[kept], labels[held]),
        "features": accuracy(near, labels[kept], labels[held]),
    }
    told: dict[str, object] = {"method": options.method, "fast": options.fast}
    told |= {key: round(one, 4) for key, one in found.items()}
    return told | {"placing_s": round(took, 2), "load": round(os.getloadavg()[0], 1)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--held", type=int, default=10_000)
    parser.add_argument("--methods", nargs="+", choices=("umap", "tsne"), default=["umap", "tsne"])
    parser.add_argument("--seeded", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    for method in given.methods:
        options = MapOptions(method, fast=not given.seeded, threads=given.threads)
        print(json.dumps(measure(Store.open(given.store), options, given.held)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
