"""Neighbours, one query at a time in one thread: recall and time of our index against FAISS's IndexFlatL2.

    OMP_NUM_THREADS=1 python -P benchmarks/neighbors.py [--features FILE.npy] [--images 200000] [--queries 500]

The features come from a random generator network (clusters in a few latent directions, two hidden layers, ReLUs, as
those of a real network do) or from a .npy file (images, width). Queries are images of the dataset that neither
built nor tuned anything in particular; each is left out of its own answer. The contenders take turns query by query,
so that what else the machine does hits all alike; times are medians. The index is opened from disk, as a service does.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.neighbors.index import NeighborIndex
from unitscope.index.storage.folder import Folder

K = 10
KINDS = {
    "clusters": {"latent": 24, "classes": 100, "noise": 0.05},
    "smooth": {"latent": 30, "classes": 1, "noise": 0.05},
    "wide": {"latent": 200, "classes": 100, "noise": 0.5},
}


def make_features(
    images: int, *, width: int, latent: int, classes: int, noise: float, seed: int
) -> np.ndarray:
    """Return (images, width) float32, non-negative, about half of it zero."""
    random = np.random.default_rng(seed)
    hidden = 256
    centres = random.normal(size=(classes, latent))
    scales = 0.6 * random.gamma(4, 0.25, size=(classes, latent))
    first = random.normal(size=(latent, hidden)) * np.sqrt(2 / latent)
    second = random.normal(size=(hidden, hidden)) * np.sqrt(2 / hidden)
    third = random.normal(size=(hidden, width)) * np.sqrt(2 / hidden)
    bias = 0.3 * random.normal(size=width) - 0.4
    features = np.empty((images, width), np.float32)
    for start in range(0, images, 20_000):
        block = features[start : start + 20_000]
        group = random.integers(classes, size=len(block))
        values = centres[group] + scales[group] * random.normal(size=(len(block), latent))
        values = np.maximum(values @ first, 0)
        values = np.maximum(values @ second + noise * random.normal(size=(len(block), hidden)), 0)
        block[:] = np.maximum(values @ third + bias + noise * random.normal(size=block.shape), 0)
    return features


def compare(features: np.ndarray, folder: Folder, queries: int, seed: int) -> dict[str, object]:
    report = build(blocks_of(features), features.shape[1], folder, threads=2, seed=seed)
    ann = NeighborIndex.open(folder)
    flat = faiss.IndexFlatL2(features.shape[1])
    flat.add(features)
    faiss.omp_set_num_threads(1)
    images = np.random.default_rng(seed + 12345).choice(len(features), queries, replace=False)
    times: dict[str, list[float]] = {"flat": [], "index": [], "exact": []}
    hits = 0
    for turn, image in enumerate(images):
        query, own = features[image : image + 1], images[turn : turn + 1]
        contenders: dict[str, Callable[[], object]] = {"index": lambda: ann.search(query, K, exclude=own)}  # noqa: B023
        if turn % 10 == 0:  # slow, and always the same work: every tenth query is enough for its median
            contenders["flat"] = lambda: flat.search(query, K + 1)  # noqa: B023
            contenders["exact"] = lambda: ann.search(query, K, exclude=own, exact=True)  # noqa: B023
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
        truth, _ = flat.search(query, K + 1)
        distances, _ = ann.search(query, K, exclude=own)
        hits += int((distances[0] ** 2 <= np.sort(truth[0])[-1] * (1 + 1e-5)).sum())
    medians = {name: float(np.median(values)) for name, values in times.items()}
    point = ann.manifest["points"][0] if ann.manifest["points"] else {}
    return {
        "images": len(features),
        "width": features.shape[1],
        "type": f"{ann.manifest['factory']} of {ann.manifest['dimensions']}",
        "probes": point.get("probes"),
        "candidates": point.get("candidates"),
        "recall": hits / (queries * K),
        "recall_at_build": report.recall,
        "flat_ms": round(medians["flat"] * 1e3, 3),
        "exact_ms": round(medians["exact"] * 1e3, 3),
        "index_ms": round(medians["index"] * 1e3, 4),
        "speedup": round(medians["flat"] / medians["index"], 1),
        "build_s": round(report.seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=Path, help="a .npy file (images, width) instead of made features")
    parser.add_argument(
        "--kinds", default="clusters,smooth,wide", help=f"of made features: {', '.join(KINDS)}"
    )
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = [str(options.features)] if options.features else options.kinds.split(",")
    rows: dict[str, dict[str, object]] = {}
    for kind in kinds:
        if options.features:
            features = np.ascontiguousarray(np.load(options.features, mmap_mode="r"), np.float32)
        else:
            features = make_features(options.images, width=options.width, seed=options.seed, **KINDS[kind])
        with tempfile.TemporaryDirectory() as path:
            rows[kind] = compare(features, Folder(path), options.queries, options.seed)
        columns = " ".join(f"{name}={value}" for name, value in rows[kind].items())
        print(f"{kind}: {columns}", file=sys.stderr, flush=True)
    print("| features | type | recall@10 | IndexFlatL2 | our index | times as fast | build |")
    print("|---|---|---|---|---|---|---|")
    for kind, row in rows.items():
        print(
            f"| {Path(kind).stem} | {row['type']} | {row['recall']:.4f} | {row['flat_ms']} ms "
            f"| {row['index_ms']} ms | {row['speedup']} | {row['build_s']} s |"
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
