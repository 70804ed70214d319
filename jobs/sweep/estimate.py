"""What a sweep would make and how long it would take: the `--dry-run`. Writes nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from ...common.errors import ImageError, SweepError
from ...common.progress import SILENT, Progress
from ...index.datasets.open import Dataset, open_dataset
from ...index.format.files import layer_features_table, maxima_table
from ...index.format.schema import LABELS_LIMIT
from ...index.merge.image_units import STRONGEST_OF_LAYER
from ...index.storage.folder import Folder
from ...index.storage.packs import PATCHES_PER_UNIT
from ...model.sources.load import LoadedModel, load_model
from ..cores import cores
from ..planning.config import SweepConfig
from ..planning.listing import temporary_file
from ..planning.make_plan import Subject, choose_subject
from ..planning.place import check_place, check_writable
from ..planning.plan import shard_size
from ..planning.preflight import check_begun
from ..planning.reading import read_dataset
from ..planning.sample import sample
from .budget import Budget
from .forward import BatchResult, Forward, check_device

MEASURED_SECONDS = 8.0
JPEG_BYTES = 3_000
"""Of one thumbnail or patch, about."""
TOP_BYTES = 56
"""Of one entry of `units.top`."""
STRONGEST_BYTES = 13
"""Of one entry of `strongest/`."""


@dataclass(frozen=True)
class Estimate:
    """images, shards, layers, units; `tables`: bytes of each table, before compression; `rate`: images a second."""

    images: int
    shards: int
    layers: int
    units: int
    tables: dict[str, int]
    rate: float
    seconds: float
    labels: str
    output: str
    dataset: str


def estimate(config: SweepConfig, *, progress: Progress = SILENT) -> Estimate:
    """List the dataset and measures the sweep on its first images, one lane, for a few seconds.

    The time assumes that this machine's cores (or `workers` like it) do the work alike. Raises as `sweep` does, by what
    can be told without sweeping: the place, the options of a sweep that is there, the first images.
    """
    folder = Folder.confined(config.store)
    check_place(config, folder)
    check_writable(config, folder)
    check_device(config.device)
    dataset = open_dataset(config.data, config.dataset_options)
    model = load_model(config.model, weights=config.weights)
    check_begun(config, folder, model, dataset)
    subject = choose_subject(config, model, progress)
    with temporary_file() as held:
        read = read_dataset(config, dataset, model, held, progress)
    facts, kind = read.listing.facts, read.kind
    images = facts.images
    with progress.stage("measuring", None, "images"):
        rate = _rate(config, dataset, model, subject, images) * min(config.workers or cores(), cores())
    size = config.shard_size or shard_size(images, config.batch_size, subject.bytes_per_image)
    return Estimate(
        images=images,
        shards=-(-images // size),
        layers=len(subject.layers),
        units=sum(layer.units for layer in subject.layers),
        tables=_tables(config, subject, images, facts.distinct),
        rate=rate,
        seconds=images / rate,
        labels=read.labels.source,
        output=f"{kind.task}: {kind.why}",
        dataset="\n".join(read.lines),
    )


def _rate(config: SweepConfig, dataset: Dataset, model: LoadedModel, subject: Subject, images: int) -> float:
    """Return images a second of one lane: decode, forward, reduce. The first batch warms up and is not counted.

    Raises SweepError where more of the dataset's `images` fail than may, or an activation is not finite.
    """
    averaged, budget = subject.averaged, Budget(images, config.max_error_rate)
    with Forward(model, subject.layers, subject.feature, averaged=averaged, device=config.device) as forward:
        begun = time.perf_counter()
        start, measured = begun, 0
        for rows, encoded in _batches(dataset, config.batch_size):
            samples = [sample(data, model.preprocess) for data in encoded]
            budget.spend(
                (uri, str(one.status), one.reason or "")
                for uri, one in zip(rows["uri"].to_pylist(), samples, strict=True)
                if one.pixels is None
            )
            usable = [one.pixels for one in samples if one.pixels is not None]
            if usable:
                result = forward.run(torch.stack(usable))
                if not config.allow_nonfinite:
                    _check_finite(subject, result)
            if start == begun and len(samples) == config.batch_size:
                start = time.perf_counter()
            else:
                measured += len(samples)
            if time.perf_counter() - begun > MEASURED_SECONDS:
                break
        return max(measured, 1) / (time.perf_counter() - start)


def _batches(dataset: Dataset, size: int) -> Iterator[tuple[pa.RecordBatch, Iterator[bytes | ImageError]]]:
    """Return rows of the dataset, at most `size` at a time, and their encoded images."""
    for batch in dataset.batches():
        for start in range(0, batch.num_rows, size):
            rows = batch.slice(start, size)
            yield rows, dataset.read(rows)


def _check_finite(subject: Subject, result: BatchResult) -> None:
    named = zip([layer.name for layer in subject.layers], result.maxima, strict=True)
    for name, values in [*named, ("the feature", result.feature)]:
        if not np.isfinite(values).all():
            raise SweepError(
                f"an activation of {name} is NaN or infinite for an image among the first: mend the model or the "
                "image, or allow it with --allow-nonfinite"
            )


def _tables(config: SweepConfig, subject: Subject, images: int, labels: int) -> dict[str, int]:
    """Return bytes of each table, before compression. labels: how many distinct ones there are."""
    value = 2 if config.maxima_dtype == "float16" else 4
    units = sum(layer.units for layer in subject.layers)
    tables = {
        maxima_table(layer.name): images
        * (8 + layer.units * (value + _position_bytes(layer.kind, layer.height * layer.width)))
        for layer in subject.layers
    }
    number = 2 if config.feature_dtype == "float16" else 4
    tables["features"] = images * (8 + subject.feature.width * number)
    for layer in subject.averaged:
        tables[layer_features_table(layer.name)] = images * (8 + layer.units * number)
    tables["images"] = images * 160
    tables["units.parquet"] = units * min(config.k, images) * TOP_BYTES
    tables["selectivity.parquet"] = units * (4 * labels if labels <= LABELS_LIMIT else 0)
    tables["strongest"] = images * sum(
        min(STRONGEST_OF_LAYER, layer.units) * STRONGEST_BYTES for layer in subject.layers
    )
    tables["thumbs"] = images * JPEG_BYTES
    tables["patches"] = units * PATCHES_PER_UNIT * JPEG_BYTES
    return tables


def _position_bytes(kind: str, positions: int) -> int:
    if kind == "vector":
        return 0
    return 2 if positions <= 2**16 else 4
