"""Writes the demo's dataset: a training and an audited part, each one Parquet file in the Hugging Face image layout."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .scenes.scenes import CLASSES, Drawing, draw

SCHEMA = pa.schema(
    {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "label": pa.string(),
        "marked": pa.bool_(),
        "split": pa.string(),
    },
    metadata={
        "huggingface": json.dumps(
            {
                "info": {
                    "features": {
                        "image": {"_type": "Image"},
                        "label": {"dtype": "string", "_type": "Value"},
                        "marked": {"dtype": "bool", "_type": "Value"},
                        "split": {"dtype": "string", "_type": "Value"},
                    }
                }
            }
        )
    },
)

_CHUNK = 60
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DemoData:
    """The two parts, each a Parquet file."""

    train: Path
    audited: Path


def make_dataset(
    folder: Path,
    *,
    images_per_class: int = 300,
    seed: int = 0,
    processes: int = 2,
    progress: Progress | None = None,
) -> DemoData:
    """Draw `images_per_class` training images of every class and half as many audited ones.

    The bytes depend on `images_per_class`, `seed` and the Pillow version only, not on `processes`. A file appears by
    a rename once it is whole. progress: called with (images drawn, images in all).
    """
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"train": images_per_class * len(CLASSES), "audited": (images_per_class // 2) * len(CLASSES)}
    jobs = [
        (seed, part, start, min(start + _CHUNK, size))
        for part, size in sizes.items()
        for start in range(0, size, _CHUNK)
    ]
    drawings: dict[str, list[Drawing]] = {part: [] for part in sizes}
    done = 0
    for (_, part, _, _), chunk in zip(jobs, _drawn(jobs, processes), strict=True):
        drawings[part].extend(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, sum(sizes.values()))
    paths = {part: _write(folder / f"{part}.parquet", part, rows) for part, rows in drawings.items()}
    return DemoData(paths["train"], paths["audited"])


Job = tuple[int, str, int, int]


def _drawn(jobs: list[Job], processes: int) -> Iterator[list[Drawing]]:
    """Yield the images of each job, in order. Processes are spawned: a fork of a process with threads may hang."""
    if processes <= 1:
        yield from map(_draw_run, jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw_run, jobs)


def _draw_run(job: Job) -> list[Drawing]:
    seed, part, start, stop = job
    return [draw(seed, part, number) for number in range(start, stop)]


def _write(path: Path, part: str, drawings: list[Drawing]) -> Path:
    columns = {
        "image": [{"bytes": drawing.data, "path": drawing.path} for drawing in drawings],
        "label": [drawing.label for drawing in drawings],
        "marked": [drawing.marked for drawing in drawings],
        "split": [part] * len(drawings),
    }
    aside = path.with_name(f"{path.name}.partial")
    pq.write_table(pa.table(columns, schema=SCHEMA), aside, row_group_size=256, compression="none")
    aside.replace(path)
    return path
