"""The pages: when Chromium first paints those that nobody has asked for, and when it has their pictures.

    python -P benchmarks/paint.py STORE [--visits 2] [--wait 8] [--seed 0]

STORE is served by a process of its own, for `--wait` seconds before the first visit. The pages are units of all layers,
images, layers, classes and the store's other pages, in random order, the same for a seed; each visit has a tab of its
own, 1,440 x 1,000 pixels. First paint is the browser's own, `first-contentful-paint`, from where the navigation began;
the browser shares the machine with the service, and is counted with it.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "service"))
import browser as chromium

TARGET_MS = 300
UNITS, IMAGES, CLASSES = 4, 16, 4
"""Pages of each kind: units of each layer."""
PAINTED = "(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime"
TIMES = """[
  performance.getEntriesByType('navigation')[0].responseStart,
  Math.max(0, ...performance.getEntriesByType('resource').map(one => one.responseEnd)),
]"""
"""When the page began to come, and when all had come that it asked for."""


@contextmanager
def served(store: str) -> Generator[str]:
    """Return the address of a service of the store, once it is said."""
    command = [sys.executable, "-P", "-m", "unitscope.cli.main", "serve", store, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            address = next((word for word in line.split() if word.startswith("http://127.")), None)
            if address:
                parts = urlsplit(address)
                yield f"{parts.scheme}://{parts.netloc}"
                return
        raise SystemExit("the service did not start")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def pages_of(url: str, rng: random.Random) -> list[tuple[str, str]]:
    """Return (kind, path) of some pages, in random order."""
    with httpx.Client(base_url=url, timeout=60) as client:
        store = client.get("/api/v1/stores").json()["stores"][0]["name"]
        about: dict[str, Any] = client.get(f"/api/v1/stores/{store}").json()
        layers = client.get(f"/api/v1/stores/{store}/layers").json()["layers"]
        classes = client.get(f"/api/v1/stores/{store}/classes").json()["classes"]
    pages = [("overview", ""), ("classes", "/classes"), ("images", "/images?sort=loss")]
    if about["atlases"]:
        pages.append(("atlas", f"/atlas/{about['atlases'][0]}"))
    for layer in layers:
        pages.append(("layer", f"/layers/{layer['layer']}"))
        some = rng.sample(range(layer["units"]), min(UNITS, layer["units"]))
        pages += [("unit", f"/units/{layer['layer']}/{unit}") for unit in some]
    some = rng.sample(range(about["images"]), min(IMAGES, about["images"]))
    pages += [("image", f"/images/{image}") for image in some]
    pages += [("neighbours", f"/neighbors?image={image}") for image in some[:2]]
    labels = rng.sample(classes, min(CLASSES, len(classes)))
    pages += [("class", f"/classes/{one['label']}") for one in labels]
    rng.shuffle(pages)
    return [(kind, f"{url}/stores/{store}{path}") for kind, path in pages]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--visits", type=int, default=2)
    parser.add_argument("--wait", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    path = chromium.find()
    if path is None:
        raise SystemExit("there is no Chromium on the path")
    browser = chromium.Browser(path)
    try:
        with browser.open("about:blank"):
            pass  # the browser's own start is not the pages'
        with served(options.store) as url:
            pages = pages_of(url, random.Random(options.seed))
            time.sleep(options.wait)
            for visit in range(1, options.visits + 1):
                report(visit, [(kind, page, *look(browser, page)) for kind, page in pages])
    finally:
        browser.close()


def look(browser: chromium.Browser, page: str) -> tuple[float, float, float]:
    """First paint, first byte and last picture, in milliseconds."""
    with browser.open(page) as tab:
        painted = tab.wait(PAINTED)
        time.sleep(0.3)  # pictures below the frame are asked for after it
        return painted, *tab.evaluate(TIMES)


def report(visit: int, seen: list[tuple[str, str, float, float, float]]) -> None:
    print(f"visit {visit}: ms (median and largest)")
    print(f"{'':12}{'pages':>6}{'first byte':>13}{'first paint':>14}{'last picture':>15}")
    kinds = defaultdict(list)
    for kind, _, *times in seen:
        kinds[kind].append(times)
    for kind, times in sorted(kinds.items()):
        painted, came, shown = zip(*times, strict=True)
        cells = "".join(
            f"{median(values):>{width}.0f} {max(values):>5.0f}"
            for values, width in ((came, 7), (painted, 8), (shown, 9))
        )
        print(f"{kind:12}{len(times):>6}{cells}")
    late = [(page, painted) for _, page, painted, *_ in seen if painted >= TARGET_MS]
    print(f"{len(seen) - len(late)} of {len(seen)} are painted within {TARGET_MS} ms")
    for page, painted in late:
        print(f"  {urlsplit(page).path} after {painted:.0f}")


if __name__ == "__main__":
    main()
