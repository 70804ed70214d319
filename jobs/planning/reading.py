"""Reads a dataset for a sweep: its images and labels, which of these are the model's classes, and what it predicts."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import IO

from ...common.errors import DatasetError
from ...common.progress import Progress
from ...index.datasets.open import Dataset
from ...index.datasets.tar_members import BAD_LABEL, FURTHER_IMAGES, NO_IMAGE
from ...index.labels.matching import LabelMap, resolve_labels
from ...index.labels.summary import LabelFacts
from ...index.labels.text import NOT_FINITE
from ...model.outputs import OutputKind
from ...model.sources.load import LoadedModel
from .config import SweepConfig
from .listing import Listing, list_images
from .outputs import decide_output

_LOST_IMAGES, _LOST_LABELS = (NO_IMAGE, FURTHER_IMAGES), (NOT_FINITE, BAD_LABEL)
"""What is passed over that may be a sample, or a label, of the dataset."""


@dataclass(frozen=True)
class Reading:
    """What a dataset was read as.

    listing: its images. labels: which label is which class of the model. kind: of the model's output. lists: whether
    images have several classes in the store. lines: on the dataset and its labels, for a person.
    """

    listing: Listing
    labels: LabelMap
    kind: OutputKind
    lists: bool
    lines: tuple[str, ...]


def read_dataset(
    config: SweepConfig, dataset: Dataset, model: LoadedModel, held: IO[bytes], progress: Progress
) -> Reading:
    """List a dataset into `held`, and find out what its labels and the model's output are.

    Raises DatasetError for a dataset without images, or of which most would be lost, UsageError for options that do not
    fit it.
    """
    with progress.stage("listing the dataset", None, "images") as stage:
        listing = list_images(config, dataset, held, advance=stage.advance)
        labels = labels_of(config, dataset, model, listing.facts)
        known = len(labels.indices.keys() & listing.labels)
        listing = replace(listing, facts=replace(listing.facts, known=known))
        lines = _lines(dataset, listing, labels)
        for line in lines:
            stage.note(line)
    _refuse_lost(config, dataset, listing.facts)
    with progress.stage("the output of the network", None, "outputs") as stage:
        kind = decide_output(
            config, model, listing.facts, dataset.class_names, wnids=labels.wnids and bool(known)
        )
        stage.note(f"{kind.task}: {kind.why}")
    lists = kind.predicts and (listing.facts.lists or kind.task == "multi-label")
    return Reading(listing, labels, kind, lists, lines)


def labels_of(
    config: SweepConfig, dataset: Dataset, model: LoadedModel, facts: LabelFacts | None
) -> LabelMap:
    """Return how the dataset's labels become the model's classes, never by the folder's rank.

    facts: of the labels, None where a release that did not gather them made the plan or the store.
    """
    return resolve_labels(
        class_names=dataset.class_names,
        model_classes=model.classes,
        classes_file=config.classes,
        outputs=2 if model.outputs == 1 else model.outputs,
        facts=facts,
    )


def _lines(dataset: Dataset, listing: Listing, labels: LabelMap) -> tuple[str, ...]:
    read = dataset.describe().split("\n")
    passed_over = [
        f"{count:,} {what}"
        for what, count in sorted(dataset.passed_over.items())
        if f"{count} {what}" not in read
    ]
    return (*read, f"{listing.facts.images:,} images; {listing.describe_labels(labels)}", *passed_over)


def _refuse_lost(config: SweepConfig, dataset: Dataset, facts: LabelFacts) -> None:
    """Raise DatasetError where more samples, or labels, are passed over than are left."""
    passed_over = dataset.passed_over
    for kinds, left, what in (
        (_LOST_IMAGES, facts.images, "images"),
        (_LOST_LABELS, facts.labelled, "labels"),
    ):
        lost = Counter({kind: passed_over[kind] for kind in kinds})
        if lost.total() > left and config.max_error_rate < 1:
            told = "; ".join(f"{count:,} {kind}" for kind, count in lost.most_common() if count)
            raise DatasetError(
                f"most of {config.data} would be lost: {left:,} {what} are left of {left + lost.total():,} ({told}). "
                f"It was read as: {dataset.describe()}. Fix it, name what is meant, or take what is left with "
                "--max-error-rate 1"
            )
