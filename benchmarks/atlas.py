"""Maps of the same features: our graph with UMAP and t-SNE against umap-learn's and openTSNE's defaults, in one run.

    python -P benchmarks/atlas.py FEATURES [--width 512] [--methods umap tsne] [--rounds 1] [--threads 2]

FEATURES is a .npy file (images, width) or raw float32, such as a store's `ann/features.f32`. Each run is a process of
its own, as a person's is: `s` is wall time from the first import on, with all that is compiled; `again_s` is a second
run in that process, with everything compiled. Ours are timed from the graph of neighbours, which each makes anew from
the store's index; what that took is told apart, since a store has it for its neighbours anyway. Contenders take turns
in each round. `cpu_s` is processor time; trustworthiness is exact, on 1,000 images against all, with 15 neighbours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.graph import knn_graph
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.projection.projection import MapOptions, project
from unitscope.index.projection.quality import measure_quality
from unitscope.index.storage.folder import Folder

COORDINATES = "coordinates.npy"
Contender = Callable[[NeighborIndex], tuple[np.ndarray, float]]
"""Gives the map (images, 2) and the seconds that its graph took (0 where that is not known)."""


def ours(options: MapOptions) -> Contender:
    def run(ann: NeighborIndex) -> tuple[np.ndarray, float]:
        began = time.perf_counter()
        graph = knn_graph(ann, threads=options.threads)
        took = time.perf_counter() - began
        return project(ann.vectors, graph, options).coordinates, took

    return run


def umap_learn(ann: NeighborIndex) -> tuple[np.ndarray, float]:
    import umap

    return np.asarray(umap.UMAP().fit_transform(np.array(ann.vectors.features))), 0.0


def opentsne(ann: NeighborIndex) -> tuple[np.ndarray, float]:
    import openTSNE

    return np.asarray(openTSNE.TSNE().fit(np.array(ann.vectors.features))), 0.0


def contenders(method: str, threads: int) -> dict[str, Contender]:
    """Return the peer's default first."""
    peers: dict[str, dict[str, Contender]] = {
        "umap": {"umap-learn": umap_learn},
        "tsne": {"openTSNE": opentsne},
    }
    return peers[method] | {
        f"{method}, seeded": ours(MapOptions(method, threads=threads)),  # type: ignore[arg-type]
        f"{method}, fast": ours(MapOptions(method, fast=True, threads=threads)),  # type: ignore[arg-type]
    }


def measure(features: np.ndarray, methods: list[str], rounds: int, threads: int) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path)
        index_seconds = build(blocks_of(features), features.shape[1], folder, threads=threads).seconds
        ann = NeighborIndex.open(folder)
        graph = knn_graph(ann, threads=threads)
        told = {"index_s": round(index_seconds, 1), "recall": graph.recall, "load": os.getloadavg()}
        print(json.dumps(told), flush=True)
        for turn in range(rounds):
            for method in methods:
                for name in contenders(method, threads):
                    row = in_a_process(path, method, name, threads) | {"round": turn}
                    coordinates = np.load(f"{path}/{COORDINATES}")
                    quality = measure_quality(ann.vectors, graph, coordinates, sample=1000)
                    row |= {
                        "trustworthiness": round(quality.trustworthiness or 0, 5),
                        "preserved": round(quality.preserved, 4),
                    }
                    print(json.dumps(row), flush=True)


def in_a_process(path: str, method: str, name: str, threads: int) -> dict[str, object]:
    command = [sys.executable, "-P", __file__, path, "--run", method, name, "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(path: str, method: str, name: str, threads: int) -> None:
    """Twice, in this process; the map is left in the folder."""
    contender = contenders(method, threads)[name]
    ann = NeighborIndex.open(Folder(path))
    np.asarray(ann.vectors.features).max()  # in memory for all alike
    first, second = once(contender, ann), once(contender, ann)
    np.save(f"{path}/{COORDINATES}", first.pop("coordinates"))
    print(json.dumps({"contender": name} | first | {"again_s": second["s"]}))


def once(contender: Contender, ann: NeighborIndex) -> dict[str, Any]:
    began, busy = time.perf_counter(), time.process_time()
    coordinates, graph = contender(ann)
    return {
        "s": round(time.perf_counter() - began, 1),
        "cpu_s": round(time.process_time() - busy, 1),
        "graph_s": round(graph, 1),
        "load": round(os.getloadavg()[0], 1),
        "coordinates": coordinates,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("features", type=Path)
    parser.add_argument("--width", type=int, default=512, help="of raw float32")
    parser.add_argument("--methods", nargs="+", choices=("umap", "tsne"), default=["umap", "tsne"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        method, name = given.run
        run(str(given.features), method, name, given.threads)
        return 0
    if given.features.suffix == ".npy":
        features = np.load(given.features)
    else:
        features = np.fromfile(given.features, np.float32).reshape(-1, given.width)
    measure(features, given.methods, given.rounds, given.threads)
    return 0


if __name__ == "__main__":
    sys.exit(main())
