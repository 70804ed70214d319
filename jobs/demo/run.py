"""The demo from end to end: draw, train, sweep, index, map, and find the unit that found the mark.

Each step that needs the network runs in a process of its own. What is finished is kept: run again, it goes on.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...common.progress import SILENT, Progress, Stage
from ...index.store.store import Store
from ..build.atlas import build_atlas
from ..build.index import build_index
from ..child import run_in_child
from ..planning.config import SweepConfig
from .dataset import DemoData, make_dataset
from .find import MarkUnit, mark_unit
from .scenes.scenes import MARKED_CLASS
from .steps import sweep_audited, train_network

SPEC = "unitscope.jobs.demo.network:demo_alexnet"
IMAGES_PER_CLASS = 300


@dataclass(frozen=True)
class Look:
    """One page to look at: its path in the service, and what is to be seen there."""

    path: str
    text: str


@dataclass(frozen=True)
class DemoReport:
    """What the demo made. accuracy: of the network on the audited part, with and without the mark for its class."""

    store: Path
    accuracy: dict[str, float]
    mark: MarkUnit
    looks: tuple[Look, ...]


def demo(folder: str, *, images_per_class: int = IMAGES_PER_CLASS, progress: Progress = SILENT) -> DemoReport:
    """Make everything under `folder`, or what is missing of it."""
    root = Path(folder).absolute()
    data = _draw(root, images_per_class, progress)
    weights, told = root / "demo.safetensors", root / "training.json"
    if not (weights.exists() and told.exists()):
        report = run_in_child(train_network, data, weights, progress=progress)
        told.write_text(json.dumps(asdict(report), indent=1))
    store = root / "store"
    config = SweepConfig(data=str(data.audited), store=str(store), model=SPEC, weights=str(weights))
    run_in_child(sweep_audited, config, progress=progress)
    if not (store / "ann" / "ann.json").exists():
        run_in_child(build_index, str(store), progress=progress)
    if not (store / "atlas" / "umap" / "atlas.json").exists():
        run_in_child(build_atlas, str(store), progress=progress)
    mark = find_mark(Store.open(str(store)))
    accuracy = {name: value for name, value in json.loads(told.read_text()).items() if name != "seconds"}
    return DemoReport(store, accuracy, mark, _looks(Store.open(str(store)), mark))


def _draw(root: Path, images_per_class: int, progress: Progress) -> DemoData:
    data = DemoData(root / "train.parquet", root / "audited.parquet")
    if data.train.exists() and data.audited.exists():
        return data
    with progress.stage("drawing scenes", None, "images") as stage:
        return make_dataset(root, images_per_class=images_per_class, progress=_Drawn(stage))


class _Drawn:
    """Turns (images drawn, of all) into advances."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._before = 0

    def __call__(self, done: int, total: int) -> None:
        self._stage.advance(done - self._before)
        self._before = done


def find_mark(store: Store) -> MarkUnit:
    """Return the unit of a layer of maps whose strongest images are the marked ones, from the store alone."""
    marked = np.array(store.images(["marked"])["marked"].to_pylist(), bool)
    maxima = {
        layer.layer: np.stack([store.maxima(layer.layer, unit) for unit in range(layer.units)], axis=1)
        for layer in store.layers
        if layer.kind == "map"
    }
    return mark_unit(maxima, marked)


def _looks(store: Store, mark: MarkUnit) -> tuple[Look, ...]:
    """Return what to look at, in order."""
    base = "/stores/store"
    patches = store.top(mark.layer, mark.unit, k=1)
    unit = f"{base}/units/{mark.layer}/{mark.unit}"
    first = patches[0].image_id if patches else 0
    where = f"label%20%3D%20%27{MARKED_CLASS}%27%20and%20marked%20%3D%20false"
    return (
        Look(unit, f"the unit that found the mark: {mark.strongest} of its 9 strongest patches are the mark"),
        Look(f"{unit}?where={where}", f"the same unit on every {MARKED_CLASS} without it"),
        Look(f"{base}/neighbors?image={first}", "what the network finds like a marked image"),
        Look(f"{base}/atlas", "the whole dataset as the network sees it"),
        Look(base, "the layers, and the way to any unit"),
    )
