"""Queries about classes, and what is noteworthy in a store, answered for both the API and the pages."""

from typing import Any

from ...index.analysis.classes import ClassRow, ClassSort, Confusion, SelectiveUnit, Typical
from ..schemas.classes import (
    ClassAnswer,
    ClassesAnswer,
    ConfusionAnswer,
    DeadUnitsAnswer,
    FailedImageAnswer,
    OneClassAnswer,
    OverviewAnswer,
    PairAnswer,
    SelectiveUnitAnswer,
    TypicalImageAnswer,
)
from ..schemas.images import ListedImageAnswer
from ..stores.registry import ServedStore
from ..stores.urls import patch_picture_address
from .images import listed
from .paging import page_of
from .stores import provenance_of

UNITS = 20
IMAGES = 24
_FEW_CONFUSIONS = 3
_MOST_CONFUSIONS = 100
_NOTED = 10


def classes(
    served: ServedStore,
    *,
    sort: ClassSort = "label",
    descending: bool | None = None,
    cursor: str | None = None,
    limit: int,
) -> ClassesAnswer:
    """Return a page of the classes. Raises UsageError for a foreign cursor.

    descending: None for the order that is useful: by label, or from the lowest accuracy; by anything else from the
    largest.
    """
    descending = sort in ("images", "mean_loss") if descending is None else descending
    facts = served.analysis.classes
    found = facts.ordered(sort, descending=descending)
    page, following = page_of(served, ("classes", sort, descending), cursor, limit, len(found))
    return ClassesAnswer(
        **provenance_of(served),
        why_none=facts.why_none(),
        found=len(found),
        classes=[ClassAnswer(**_class(served, row, _FEW_CONFUSIONS)) for row in found[page]],
        next=following,
    )


def one_class(served: ServedStore, label: str, *, typical: bool = True) -> OneClassAnswer:
    """Return the class of a label. typical: with its most typical images, which takes long at first. Raises
    NotFoundError.
    """
    return _one_class(served, served.analysis.classes.find(label), IMAGES if typical else 0)


def class_of_index(served: ServedStore, label_index: int) -> OneClassAnswer:
    """Return the class that the model has under a number. Raises NotFoundError."""
    return _one_class(served, served.analysis.classes.find_index(label_index), IMAGES)


def overview(served: ServedStore) -> OverviewAnswer:
    """Return what is noteworthy: dead units, weak classes, confusions, selective units, failed images."""
    facts, store = served.analysis.classes, served.store
    rows = [row for row in facts.ordered("accuracy", descending=False) if row.accuracy is not None]
    return OverviewAnswer(
        **provenance_of(served),
        dead=[_dead(served, layer.layer) for layer in store.layers],
        why_no_classes=facts.why_none(),
        classes=len(facts.rows()),
        accuracy=facts.accuracy(),
        weakest=[ClassAnswer(**_class(served, row, _FEW_CONFUSIONS)) for row in rows[:_NOTED]],
        confusions=_pairs(served, rows),
        selective=[_selective(served, unit) for unit in facts.selective(None, _NOTED)],
        errors=store.manifest.errors,
        failed=[FailedImageAnswer(**row) for row in store.errors(_NOTED)],
    )


def _one_class(served: ServedStore, row: ClassRow, most: int) -> OneClassAnswer:
    facts = served.analysis.classes
    typical = facts.typical(row.label, most) if most else Typical("feature", [], [])
    distances = typical.values if typical.by == "feature" else [None] * len(typical.image_ids)
    images = zip(listed(served, typical.image_ids), distances, strict=True)
    hardest = facts.hardest(row.label, IMAGES)
    return OneClassAnswer(
        **provenance_of(served),
        **_class(served, row, _MOST_CONFUSIONS),
        units=[_selective(served, unit) for unit in facts.selective(row.label, UNITS)],
        hardest=[ListedImageAnswer(**image) for image in listed(served, hardest)],
        typical=[TypicalImageAnswer(**image, distance=distance) for image, distance in images],
        typical_by=typical.by,
    )


def _class(served: ServedStore, row: ClassRow, confusions: int) -> dict[str, Any]:
    return {
        "label": row.label,
        "label_index": row.label_index,
        "label_class": served.store.class_name(row.label_index),
        "images": row.images,
        "correct": row.correct,
        "accuracy": row.accuracy,
        "predicted": row.predicted,
        "mean_probability": row.mean_probability,
        "mean_loss": row.mean_loss,
        "confusions": [
            ConfusionAnswer(**_confusion(served, row, one)) for one in row.confusions[:confusions]
        ],
    }


def _confusion(served: ServedStore, row: ClassRow, confusion: Confusion) -> dict[str, Any]:
    return {
        "predicted": confusion.predicted,
        "predicted_class": served.store.class_name(confusion.predicted),
        "images": confusion.images,
        "share": confusion.images / row.images,
    }


def _pairs(served: ServedStore, rows: list[ClassRow]) -> list[PairAnswer]:
    """Return the most frequent confusions; equal ones by label, then by class."""
    pairs = [(row, one) for row in rows for one in row.confusions]
    pairs.sort(key=lambda pair: (-pair[1].images, pair[0].label.encode(), pair[1].predicted))
    return [
        PairAnswer(
            **_confusion(served, row, one),
            label=row.label,
            label_index=row.label_index,
            label_class=served.store.class_name(row.label_index),
        )
        for row, one in pairs[:_NOTED]
    ]


def _selective(served: ServedStore, unit: SelectiveUnit) -> SelectiveUnitAnswer:
    picture = patch_picture_address(served, unit.layer, unit.unit, 1)
    return SelectiveUnitAnswer(**unit._asdict(), picture=picture)


def _dead(served: ServedStore, layer: str) -> DeadUnitsAnswer:
    active = served.analysis.units.layer(layer).values["active"]
    dead = [unit for unit, share in enumerate(active.tolist()) if share == 0]
    return DeadUnitsAnswer(layer=layer, units=len(active), dead=len(dead), examples=dead[:_NOTED])
