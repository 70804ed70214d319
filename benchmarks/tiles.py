"""Measures the grid and the tiles of a large atlas: time, memory, bytes, and how soon a tile is answered over HTTP.

    python -P benchmarks/tiles.py STORE [--seed 0] [--threads 2] [--requests 3000]

STORE is a finished store, such as `synthetic.py` makes. Its atlas `made` gets coordinates drawn around a hundred
centres, as no projection is measured here. Then `unitscope serve` is asked for tiles of all views and levels, drawn at
random, on one connection; the first 100 requests are not counted. Run again, the tiles are there already and are kept.
With --seed another map is made.
"""

import argparse
import http.client
import json
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from unitscope.common.progress import SILENT, Stage
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.format.files import IMAGES
from unitscope.index.storage.folder import Folder
from unitscope.index.store.store import Store
from unitscope.index.store.thumbs import Thumbs

NAME = "made"


class Clock:
    """A `Progress` that prints what each stage took."""

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Stage]:
        """See Progress."""
        begin = time.perf_counter(), time.process_time()
        with SILENT.stage(name, total, unit) as stage:
            yield stage
        wall, own = time.perf_counter() - begin[0], time.process_time() - begin[1]
        print(f"{name}: {wall:.1f} s, {own:.1f} s of a core", flush=True)


def clusters(points: int, seed: int) -> np.ndarray:
    """Return (points, 2) float32: a hundred heaps of unequal size and density, as UMAP draws them."""
    random = np.random.default_rng(seed)
    centres, widths = random.uniform(-10, 10, (100, 2)), random.uniform(0.1, 1, 100)
    which = random.choice(100, points, p=random.dirichlet(np.ones(100)))
    return (centres[which] + random.normal(size=(points, 2)) * widths[which, None]).astype(np.float32)


def anonymous_peak(stop: threading.Event, found: list[int]) -> None:
    """Return the largest resident memory that is not of mapped files, in bytes: those the system takes back when it
    must.
    """
    while not stop.wait(0.5):
        fields = dict(re.findall(r"(\w+):\s+(\d+) kB", Path("/proc/self/status").read_text()))
        found[0] = max(found[0], int(fields["RssAnon"]) * 1024)


def make(url: str, seed: int, threads: int) -> None:
    """Write the atlas and prints what it took."""
    store = Store.open(url)
    parts = [record.rows for record in store.manifest.parts(IMAGES)]
    images = np.arange(sum(parts))
    stop, own = threading.Event(), [0]
    watch = threading.Thread(target=anonymous_peak, args=(stop, own))
    watch.start()
    begin = time.perf_counter()
    with Thumbs(store.folder, parts) as thumbs:
        manifest = write_atlas(
            store.folder,
            NAME,
            images,
            clusters(len(images), seed),
            store=store.manifest.hash,
            thumb=thumbs.get,
            threads=threads,
            progress=Clock(),
        )
    stop.set()
    watch.join()
    print(f"atlas: {time.perf_counter() - begin:.1f} s for {len(images):,} images")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory: {peak / 2**30:.2f} GiB resident, {own[0] / 2**30:.2f} GiB of it its own")
    sizes = {path: one["bytes"] for path, one in manifest["files"].items()}
    for view, facts in manifest["tiles"]["views"].items():
        keys = set(facts["regions"]) | set(facts["top"])
        size = sum(size for path, size in sizes.items() if path.split("/")[-2] in keys)
        shape = f"{facts['columns']} x {facts['rows']} cells of {facts['cell']} px"
        print(f"{view}: {shape}, {len(keys)} packs, {size / 2**20:,.0f} MiB")
    facts = manifest["tiles"]["views"]["scatter"]
    print(f"scatter: {facts['moved']:,} moved, at most {facts['furthest']:,.0f} px in the deepest level")
    print(f"all files: {sum(sizes.values()) / 2**20:,.0f} MiB in {len(sizes)} files")


def serve(url: str, requests: int) -> None:
    """Print how soon tiles are answered, by view."""
    pyramids = Atlas.open(Folder(url), NAME).tiles.pyramids
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "unitscope.cli.main", "serve", url, "--port", "8732"]
    )
    try:
        connection = _connected(8732)
        stores = json.loads(_get(connection, "/api/v1/stores"))["stores"]
        base = f"/api/v1/stores/{stores[0]['name']}/atlases/{NAME}/tiles"
        random = np.random.default_rng(0)
        for view, pyramid in pyramids.items():
            seconds = []
            for _ in range(requests):
                # a level by its tiles' number, but no level less than one in ten
                tiles = np.array([level.columns * level.rows for level in pyramid.levels], float)
                share = np.maximum(tiles / tiles.sum(), 0.1)
                level = int(random.choice(len(tiles), p=share / share.sum()))
                one = pyramid.levels[level]
                column, row = random.integers(one.columns), random.integers(one.rows)
                begin = time.perf_counter()
                _get(connection, f"{base}/{view}/{level}/{column}_{row}.jpg")
                seconds.append(time.perf_counter() - begin)
            p50, p99, worst = 1000 * np.quantile(seconds[100:], (0.5, 0.99, 1))
            print(f"{view}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, slowest {worst:.1f} ms")
    finally:
        server.terminate()
        server.wait()


def _connected(port: int) -> http.client.HTTPConnection:
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            _get(connection, "/readyz")
        except OSError:
            time.sleep(0.1)
        else:
            return connection
    raise TimeoutError("the service did not start")


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise ValueError(f"{path}: {response.status} {body[:300]!r}")
    return body


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--requests", type=int, default=3000)
    options = parser.parse_args()
    make(options.store, options.seed, options.threads)
    serve(options.store, options.requests)


if __name__ == "__main__":
    main()
