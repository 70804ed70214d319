"""Makes the plan of a sweep: lists the dataset, chooses the layers, measures fields and views, and fixes all of it."""

import hashlib
import json
import platform
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ...common.errors import UsageError
from ...common.progress import SILENT, Progress
from ...index.datasets.open import Dataset
from ...index.format.files import WORK
from ...index.labels.matching import LabelMap, shown_classes
from ...index.labels.summary import LabelFacts
from ...index.storage.folder import Folder
from ...model.capture.feature import Feature
from ...model.checks.independence import check_independence
from ...model.feature.find_feature import feature_named, find_feature
from ...model.layers.default_layers import default_layers
from ...model.layers.layers import Layer, LayerList, list_layers, select_layers
from ...model.receptive_field.receptive_field import unit_fields
from ...model.sources.load import LoadedModel
from ...model.sources.spec import parse_spec
from .config import SweepConfig
from .layer_rows import layer_row
from .listing import discard_changed, replay, temporary_file
from .place import PLAN_FILE
from .plan import Plan, shard_size, write_images
from .reading import Reading, read_dataset
from .views import parallel_views, view_sample


@dataclass(frozen=True)
class Subject:
    """What of the network is kept: chosen before the dataset is looked at."""

    layers: tuple[Layer, ...]
    feature: Feature
    averaged: tuple[Layer, ...] = ()

    @property
    def bytes_per_image(self) -> int:
        """Of maxima, positions and the averaged layers' means, in a shard file."""
        maxima = sum(layer.units * (4 if layer.kind == "vector" else 8) for layer in self.layers)
        return maxima + sum(4 * layer.units for layer in self.averaged)


def choose_subject(config: SweepConfig, model: LoadedModel, progress: Progress = SILENT) -> Subject:
    """Return the layers and the feature that the config names, or the default ones. Raises LayerError."""
    with progress.stage("reading the network", None, "layers") as stage:
        listed = list_layers(model.network, model.input_size)
        chosen = select_layers(listed, config.layers) if config.layers else _defaults(model, listed)
        averaged = select_layers(listed, config.atlas_layers) if config.atlas_layers else ()
        if config.feature is None:
            feature = find_feature(model.network, model.input_size)
        else:
            feature = feature_named(model.network, model.input_size, config.feature)
        check_independence(model.network, chosen, feature, model.input_size)
        stage.note(f"{len(chosen)} layers, {sum(layer.units for layer in chosen):,} units")
        why = feature.note or ("what feeds the classifier" if config.feature is None else "as --feature says")
        stage.note(f"feature: {feature.name}, {feature.width:,} numbers: {why}")
        for note in model.notes:
            stage.note(note)
    return Subject(chosen, feature, averaged)


def _defaults(model: LoadedModel, listed: LayerList) -> tuple[Layer, ...]:
    chosen = default_layers(model.network, listed, model.input_size)
    if not chosen:
        names = ", ".join(layer.name for layer in listed.swept[:8]) or "none"
        raise UsageError(
            f"no layer of this model is swept by default; name some with --layers (there are: {names} …)"
        )
    return chosen


def facts_of(settings: dict[str, Any]) -> LabelFacts | None:
    """Return the facts of the labels in a plan's settings or in a manifest's `dataset`."""
    read = settings.get("labels_read")
    return None if read is None else LabelFacts(**read)


def labels_fingerprint(labels: LabelMap) -> str:
    """Return SHA-256 of which label is which class."""
    return hashlib.sha256(json.dumps(dict(labels.indices), sort_keys=True).encode()).hexdigest()


def make_plan(
    config: SweepConfig,
    folder: Folder,
    dataset: Dataset,
    *,
    model: LoadedModel,
    subject: Subject,
    progress: Progress,
    previous: Plan | None = None,
) -> Plan:
    """Plan the sweep and publishes the plan. Raises DatasetError for an empty dataset.

    `previous`: the plan of an unfinished sweep whose dataset has changed since; shards with the same rows stay
    committed.
    """
    with progress.stage("receptive fields", len(subject.layers), "layers"):
        fields = unit_fields(model.network, subject.layers, model.input_size)
    with temporary_file() as held:
        read = read_dataset(config, dataset, model, held, progress)
        images, kind = read.listing.facts.images, read.kind
        size = config.shard_size or shard_size(images, config.batch_size, subject.bytes_per_image)
        if previous is None:  # nothing there can be told to be of this plan
            folder.remove_tree(WORK)
        else:
            discard_changed(folder, previous, replay(held, read.labels, lists=read.lists), size)
        fingerprint = write_images(folder, replay(held, read.labels, lists=read.lists), images, size)
    plan = Plan(
        images=images,
        shard_size=size,
        batch_size=config.batch_size,
        layers=(),
        captured=subject.layers,
        feature=subject.feature,
        outputs=model.outputs if kind.predicts else None,
        settings=settings(config, dataset, model, read, fingerprint),
        averaged=subject.averaged,
        guessed={name: field.whole.guessed for name, field in fields.items() if field.whole.guessed},
    )
    with progress.stage("measuring views", len(subject.layers), "layers") as stage:
        images_seen = view_sample(folder, plan, dataset, model, config.view_samples)
        views = parallel_views(model, subject.layers, fields, images_seen, advance=stage.advance)
    plan = replace(
        plan,
        layers=tuple(layer_row(layer, fields[layer.name], views[layer.name]) for layer in subject.layers),
    )
    folder.publish(PLAN_FILE, plan.to_json().encode())
    return plan


def settings(
    config: SweepConfig,
    dataset: Dataset,
    model: LoadedModel,
    read: Reading,
    dataset_fingerprint: str,
) -> dict[str, Any]:
    """Return all that changes a byte of the store, as JSON; the manifest repeats it."""
    passed_over = dataset.passed_over
    labels, listing = read.labels, read.listing
    classes = shown_classes(model.classes, labels, listing.labels)
    return {
        "fingerprints": {
            "weights": model.fingerprint,
            "preprocessing": model.preprocess.fingerprint,
            "dataset": dataset_fingerprint,
            "labels": labels_fingerprint(labels),
        },
        "model": {
            "spec": absolute_spec(model.spec),
            "weights": model.weights,
            "weights_file": str(Path(config.weights).absolute()) if config.weights else None,
            "random": model.random,
            "preprocess_source": model.preprocess_source,
            "classes": None if classes is None else list(classes),
            "preprocess": model.preprocess.to_dict(),
            "input_size": list(model.input_size),
            "output": asdict(read.kind),
        }
        | ({"notes": list(model.notes)} if model.notes else {}),
        "dataset": {"path": dataset.path, "kind": dataset.kind, "labels_read": asdict(listing.facts)}
        | dataset.options.to_json()
        | {"exif": dataset.exif}
        | ({"passed_over": dict(sorted(passed_over.items()))} if passed_over else {}),
        "labels": labels.source,
        "options": asked(config),
        "software": {
            name: metadata.version(name)
            for name in ("unitscope", "torch", "torchvision", "pyarrow", "pillow", "numpy")
        }
        | {"python": platform.python_version()},
        "machine": {
            "architecture": platform.machine(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        },
    }


def absolute_spec(spec: str) -> str:
    """Return the spec of a factory's file, or of a folder, with its whole path: it is found from any folder."""
    parsed = parse_spec(spec)
    if parsed.source == "hf" and Path(parsed.name).is_dir():
        return str(replace(parsed, name=str(Path(parsed.name).absolute())))
    return str(Path(spec).absolute()) if parsed.source == "file" else spec


def asked(config: SweepConfig) -> dict[str, Any]:
    """Return the options that change what the store holds; those that later releases brought only where they are
    used.
    """
    later: dict[str, Any] = {"atlas_layers": list(config.atlas_layers)} if config.atlas_layers else {}
    later |= {name: value for name, value in (("task", config.task), ("output", config.output)) if value}
    later |= config.dataset_options.to_json()
    return later | {
        "k": config.k,
        "batch_size": config.batch_size,
        "layers": list(config.layers),
        "feature": config.feature,
        "maxima_dtype": config.maxima_dtype,
        "feature_dtype": config.feature_dtype,
        "allow_nonfinite": config.allow_nonfinite,
        "device": torch.device(config.device).type,
        "precision": config.precision,
        "view_samples": config.view_samples,
    }
