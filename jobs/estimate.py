"""What a sweep would make and how long it would take: the `--dry-run`. Writes nothing."""

import time
from dataclasses import dataclass
from itertools import islice

import torch

from ..common.progress import SILENT, Progress
from ..index.dataset.open import Dataset, open_dataset
from ..index.label_facts import LabelCounter
from ..index.label_numbers import LABELS_LIMIT
from ..index.packs import PATCHES_PER_UNIT
from ..index.schema import layer_features_table, maxima_table
from ..index.strongest_table import STRONGEST_OF_LAYER
from ..model.load import LoadedModel, load_model
from .config import SweepConfig
from .cores import cores
from .forward import Forward, check_device
from .listing import no_images
from .outputs import decide_output
from .pixels import sample
from .plan import shard_size
from .planning import Subject, choose_subject, labels_of

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
    """Lists the dataset and measures the sweep on its first images, one lane, for a few seconds.

    The time assumes that this machine's cores (or `workers` like it) do the work alike. Raises as `sweep` does.
    """
    check_device(config.device)
    dataset = open_dataset(config.data, config.dataset_options)
    model = load_model(config.model, weights=config.weights)
    subject = choose_subject(config, model, progress)
    with progress.stage("listing the dataset", None, "images") as stage:
        counter = LabelCounter()
        for batch in dataset.batches():
            counter.add(batch)
            stage.advance(batch.num_rows)
    facts = counter.facts()
    images = facts.images
    if not images:
        raise no_images(config, dataset)
    labels = labels_of(config, dataset, model, facts)
    kind = decide_output(config, model, facts, dataset.class_names)
    with progress.stage("measuring", None, "images"):
        rate = _rate(config, dataset, model, subject) * min(config.workers or cores(), cores())
    size = config.shard_size or shard_size(images, config.batch_size, subject.bytes_per_image)
    return Estimate(
        images=images,
        shards=-(-images // size),
        layers=len(subject.layers),
        units=sum(layer.units for layer in subject.layers),
        tables=_tables(config, subject, images, facts.distinct),
        rate=rate,
        seconds=images / rate,
        labels=labels.source,
        output=f"{kind.task}: {kind.why}",
        dataset=dataset.describe(),
    )


def _rate(config: SweepConfig, dataset: Dataset, model: LoadedModel, subject: Subject) -> float:
    """Images a second of one lane: decode, forward, reduce. The first batch warms up and is not counted."""
    encoded = (data for batch in dataset.batches() for data in dataset.read(batch))
    averaged = subject.averaged
    with Forward(model, subject.layers, subject.feature, averaged=averaged, device=config.device) as forward:
        begun = time.perf_counter()
        start, measured = begun, 0
        while time.perf_counter() - begun < MEASURED_SECONDS:
            samples = [sample(data, model.preprocess) for data in islice(encoded, config.batch_size)]
            if not samples:
                break
            usable = [one.pixels for one in samples if one.pixels is not None]
            if usable:
                forward.run(torch.stack(usable))
            if start == begun and len(samples) == config.batch_size:
                start = time.perf_counter()
            else:
                measured += len(samples)
        return max(measured, 1) / (time.perf_counter() - start)


def _tables(config: SweepConfig, subject: Subject, images: int, labels: int) -> dict[str, int]:
    """Bytes of each table, before compression. labels: how many distinct ones there are."""
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
