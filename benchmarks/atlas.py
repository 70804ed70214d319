"""Maps of the same features: our graph with UMAP and t-SNE against umap-learn's and openTSNE's defaults, in one run.

    python -P benchmarks/atlas.py FEATURES [--width 512] [--methods umap tsne] [--rounds 1] [--threads 2]

FEATURES is a .npy file (images, width) or raw float32, such as a store's `ann/features.f32`. Ours are timed from the
graph of neighbours, which each makes anew from the store's index; what that took is told apart, since a store has
it for its neighbours anyway. Everything is run on 5,000 images before, so that no compilation is counted (umap-learn
compiles more above 4,096); what compiling and importing cost is told too. Contenders take turns in each round. `s` is
wall time, `cpu_s` processor time; trustworthiness is exact, on 1,000 images against all, with 15 neighbours.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from unitscope.index.ann import Ann
from unitscope.index.ann_build import blocks_of, build
from unitscope.index.files import Folder
from unitscope.index.knn import knn_graph
from unitscope.index.projection import MapOptions, project
from unitscope.index.quality import measure_quality

Contender = Callable[[Ann], tuple[np.ndarray, float]]
"""Gives the map (images, 2) and the seconds that its graph took (0 where that is not known)."""


def ours(options: MapOptions) -> Contender:
    def run(ann: Ann) -> tuple[np.ndarray, float]:
        began = time.perf_counter()
        graph = knn_graph(ann, threads=options.threads)
        took = time.perf_counter() - began
        return project(ann.vectors, graph, options).coordinates, took

    return run


def umap_learn(ann: Ann) -> tuple[np.ndarray, float]:
    import umap

    return np.asarray(umap.UMAP().fit_transform(np.array(ann.vectors.features))), 0.0


def opentsne(ann: Ann) -> tuple[np.ndarray, float]:
    import openTSNE

    return np.asarray(openTSNE.TSNE().fit(np.array(ann.vectors.features))), 0.0


def contenders(method: str, threads: int) -> dict[str, Contender]:
    """The peer's default first."""
    peers: dict[str, dict[str, Contender]] = {
        "umap": {"umap-learn": umap_learn},
        "tsne": {"openTSNE": opentsne},
    }
    return peers[method] | {
        f"{method}, seeded": ours(MapOptions(method, threads=threads)),  # type: ignore[arg-type]
        f"{method}, fast": ours(MapOptions(method, fast=True, threads=threads)),  # type: ignore[arg-type]
    }


def measure(features: np.ndarray, methods: list[str], rounds: int, threads: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as path:
        small, index_seconds = indexed(features[:5000], Path(path, "small"), threads)
        ann, index_seconds = indexed(features, Path(path, "all"), threads)
        graph = knn_graph(ann, threads=threads)
        print(
            json.dumps({"index_s": round(index_seconds, 1), "recall": graph.recall, "load": os.getloadavg()}),
            flush=True,
        )
        for method in methods:
            named = contenders(method, threads)
            compiling = {name: warm(run, small) for name, run in named.items()}
            for turn in range(rounds):
                for name, run in named.items():
                    row = one(run, ann) | {"contender": name, "round": turn, "first_run_s": compiling[name]}
                    coordinates = row.pop("coordinates")
                    quality = measure_quality(ann.vectors, graph, coordinates, sample=1000)  # type: ignore[arg-type]
                    row |= {
                        "trustworthiness": round(quality.trustworthiness or 0, 5),
                        "preserved": round(quality.preserved, 4),
                    }
                    rows.append(row)
                    print(json.dumps(row), flush=True)
    return rows


def indexed(features: np.ndarray, path: Path, threads: int) -> tuple[Ann, float]:
    folder = Folder(str(path))
    took = build(blocks_of(features), features.shape[1], folder, threads=threads).seconds
    return Ann.open(folder), took


def warm(run: Contender, small: Ann) -> float:
    """What the first run took more than the second: imports and compilation."""
    times: list[float] = []
    for _ in range(2):
        began = time.perf_counter()
        run(small)
        times.append(time.perf_counter() - began)
    return round(max(0.0, times[0] - times[1]), 1)


def one(run: Contender, ann: Ann) -> dict[str, object]:
    began, busy = time.perf_counter(), time.process_time()
    coordinates, graph = run(ann)
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
    given = parser.parse_args()
    if given.features.suffix == ".npy":
        features = np.load(given.features)
    else:
        features = np.fromfile(given.features, np.float32).reshape(-1, given.width)
    measure(features, given.methods, given.rounds, given.threads)
    return 0


if __name__ == "__main__":
    sys.exit(main())
