"""Overlays of an atlas: the time of a tile, once what it is colored by has been read, and of the first one.

    python -P benchmarks/overlays.py STORE ATLAS [--tiles 400]
    python -P benchmarks/overlays.py --images 1281167 [--tiles 400]

The first asks a service that it starts for random tiles of every view and level, colored by each kind of thing, in turn
with the tiles of thumbnails themselves: what a browser waits for beside them. The second makes an atlas of that many
images up, in this process, and draws the tiles of its overlays without HTTP.
"""

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
from unitscope.index.atlas.atlas import Atlas
from unitscope.index.caching.once import OnceCache
from unitscope.index.overlays.coloring import ItemColors, by_numbers, marked
from unitscope.index.overlays.overlays import Overlay, Overlays
from unitscope.index.projection.grid import nearest_grid

CACHE = 192 << 20


@contextmanager
def serving(store: str) -> Generator[str]:
    """Return the URL of `unitscope serve`."""
    command = [sys.executable, "-P", "-m", "unitscope.cli.main", "serve", store, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found, "serve printed no address"
        yield found[0].rstrip("/")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stderr.close()


def told(name: str, first: list[float], times: list[float]) -> None:
    """Return a row of the table, in milliseconds. first: of each view's and level's first tile; times: of later
    ones.
    """
    p50, p99 = np.quantile(times, (0.5, 0.99))
    shown = {"slowest first": max(first), "p50": float(p50), "p99": float(p99), "largest": max(times)}
    row = {
        "colored by": name,
        **{key: round(1000 * one, 1) for key, one in shown.items()},
        "tiles": len(times),
    }
    print(json.dumps(row), flush=True)


def over_http(store: str, atlas: str, tiles: int) -> None:
    """Every kind of paint, and the thumbnails."""
    with serving(store) as url, httpx.Client(base_url=url, timeout=60) as client:
        (name,) = (one["name"] for one in client.get("/api/v1/stores").json()["stores"])
        api = f"/api/v1/stores/{name}/atlases/{atlas}"
        layers = client.get(f"/api/v1/stores/{name}/layers").json()["layers"]
        units = [(row["layer"], unit) for row in layers for unit in range(row["units"])]
        drawn = random.Random(0)
        paints: dict[str, Any] = {
            "thumbnails": None,
            "density": {"by": "density"},
            "label": {"by": "column", "column": "label"},
            "correctness": {"by": "column", "column": "correct"},
            "loss": {"by": "column", "column": "loss"},
            "a filter": {"by": "where", "where": "correct = false and loss > 1"},
            "one unit": dict(zip(("by", "layer", "unit"), ("unit", *drawn.choice(units)), strict=True)),
        }
        views = {view: client.get(f"{api}/tiles/{view}").json()["levels"] for view in ("nearest", "assigned")}
        for paint, query in paints.items():
            first = [
                timed(client, address(api, view, one, query, drawn))
                for view, levels in views.items()
                for one in levels
            ]
            told(paint, first, [timed(client, anywhere(api, views, query, drawn)) for _ in range(tiles)])
        chosen = drawn.sample(units, min(50, len(units)))
        times = [
            timed(client, anywhere(api, views, {"by": "unit", "layer": layer, "unit": unit}, drawn))
            for layer, unit in chosen
        ]
        told("a new unit each time", times[:1], times[1:])


def anywhere(api: str, views: dict[str, Any], query: dict[str, object] | None, drawn: random.Random) -> str:
    """Return the address of a random tile of a random level of a random view."""
    view, levels = drawn.choice(list(views.items()))
    return address(api, view, drawn.choice(levels), query, drawn)


def address(
    api: str, view: str, level: dict[str, int], query: dict[str, object] | None, drawn: random.Random
) -> str:
    """Return the address of a random tile of a level."""
    place = f"{level['level']}/{drawn.randrange(level['columns'])}_{drawn.randrange(level['rows'])}"
    if query is None:
        return f"{api}/tiles/{view}/{place}.jpg"
    return f"{api}/overlays/{view}/{place}.png?{urlencode(query)}"


def timed(client: httpx.Client, path: str) -> float:
    """Seconds."""
    start = time.perf_counter()
    response = client.get(path)
    taken = time.perf_counter() - start
    assert response.status_code == 200, response.text
    return taken


def made_up(images: int, tiles: int) -> None:
    """Heaps of images around 1,000 middles, on a nearest grid and in a square where each has a cell."""
    rng = np.random.default_rng(0)
    points = (rng.random((1000, 2))[rng.integers(0, 1000, images)] + rng.normal(0, 0.01, (images, 2))).astype(
        np.float32
    )
    side = int(np.ceil(np.sqrt(images)))
    cells = np.stack(np.divmod(np.arange(images), side), axis=1).astype(np.int32)
    near = nearest_grid(points, 100)
    atlas = Atlas("made-up", np.arange(images), points, cells, near.rows, near.density, {})
    values = rng.standard_normal(images).astype(np.float32)
    classes = rng.integers(0, 10, images).astype(np.float32)
    painted: dict[str, ItemColors] = {
        "numbers": by_numbers("numbers", values, says=""),
        "ten classes": ItemColors("classes", "classes", classes, names=tuple("abcdefghij")),
        "a filter": marked("marked", images, np.flatnonzero(values > 1)),
    }
    overlays, drawn = Overlays(OnceCache(CACHE)), random.Random(0)
    for name, one in painted.items():
        views = [Overlay(atlas, "made-up", view, one, name) for view in ("nearest", "assigned")]
        first = [
            drawn_in(overlays, view, level, drawn)
            for view in views
            for level in range(len(view.pyramid.levels))
        ]
        times: list[float] = []
        for _ in range(tiles):
            view = drawn.choice(views)
            times.append(drawn_in(overlays, view, drawn.randrange(len(view.pyramid.levels)), drawn))
        told(f"{name}, {images:,} images", first, times)


def drawn_in(overlays: Overlays, overlay: Overlay, level: int, drawn: random.Random) -> float:
    """Return the seconds that a random tile of a level takes."""
    size = overlay.pyramid.levels[level]
    column, row = drawn.randrange(size.columns), drawn.randrange(size.rows)
    start = time.perf_counter()
    overlays.tile(overlay, level, column, row)
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", nargs="?")
    parser.add_argument("atlas", nargs="?", default="umap")
    parser.add_argument("--images", type=int)
    parser.add_argument("--tiles", type=int, default=400)
    asked = parser.parse_args()
    if asked.images:
        made_up(asked.images, asked.tiles)
    else:
        over_http(asked.store, asked.atlas, asked.tiles)
