"""Queries of a store, answered for both the API and the pages: rows joined with the images and classes they name."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...common.errors import NotFoundError
from ...index.store.store import Store
from ..schemas.images import ImageAnswer
from ..schemas.stores import LayerAnswer, LayersAnswer, StoreAnswer
from ..stores.registry import ServedStore
from ..stores.urls import pixels_address, thumb_address
from .image_labels import image_labels, image_predictions, is_correct


def provenance_of(served: ServedStore) -> dict[str, Any]:
    """Return what every answer of a store begins with."""
    return {**served.provenance, "store": served.name}


def describe(served: ServedStore) -> StoreAnswer:
    """Return what the store holds."""
    manifest = served.store.manifest
    return StoreAnswer(
        **served.provenance,
        name=served.name,
        images=manifest.counts["images"],
        ok=manifest.counts["ok"],
        errors=manifest.errors,
        layers=manifest.counts["layers"],
        units=manifest.counts["units"],
        model=manifest.model["spec"],
        feature_note=_feature_note(manifest.model),
        labels=str(manifest.labels),
        task=_task(manifest.model),
        several_labels=bool(served.store.list_columns),
        indexed=served.has_index,
        atlases=served.atlases(),
    )


def _task(model: Mapping[str, Any]) -> str | None:
    output = model.get("output")
    return str(output.get("task")) if isinstance(output, dict) else None


def _feature_note(model: Mapping[str, Any]) -> str:
    feature = model.get("feature")
    return str(feature.get("note", "")) if isinstance(feature, dict) else ""


def layers(served: ServedStore) -> LayersAnswer:
    """Return all layers, in order of execution."""
    return LayersAnswer(
        **provenance_of(served), layers=[LayerAnswer(**asdict(row)) for row in served.store.layers]
    )


def image(served: ServedStore, image_id: int) -> ImageAnswer:
    """Return everything known of one image. Raises NotFoundError."""
    store = served.store
    check_image(store, image_id)
    row = store.image(image_id)
    known = {name: row[name] for name in ("sha256", "width", "height", "loss", "status")}
    told = {*fact_columns(store), *known}
    own = {name: value for name, value in row.items() if name not in told}
    return ImageAnswer(
        **provenance_of(served),
        **image_facts(served, row),
        **finite(known),
        correct=is_correct(row),
        metadata=finite(own),
        pixels=pixels_address(served, image_id),
    )


def check_image(store: Store, image_id: int) -> None:
    """Raise NotFoundError for an id that is none."""
    if not 0 <= image_id < store.images_count:
        raise NotFoundError(f"no image {image_id}: the ids are 0 to {store.images_count - 1}")


IMAGE_COLUMNS = ("image_id", "uri", "label", "label_index", "predicted", "probability")
"""Of images/: what `image_facts` reads, with `Store.list_columns`."""


def fact_columns(store: Store) -> tuple[str, ...]:
    """Return the columns of images/ that `image_facts` reads."""
    return (*IMAGE_COLUMNS, *store.list_columns)


def image_facts(served: ServedStore, row: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `ImageFacts`, in its order, of a row of images/ with `fact_columns`."""
    store, image_id, probability = served.store, row["image_id"], row["probability"]
    several = bool(store.list_columns)
    return {
        "image_id": image_id,
        "uri": row["uri"],
        "label": row["label"],
        "label_index": row["label_index"],
        "label_class": store.class_name(row["label_index"]),
        "predicted": row["predicted"],
        "predicted_class": store.class_name(row["predicted"]),
        "probability": number(probability),
        "labels": image_labels(store, row) if several else None,
        "predictions": image_predictions(store, row) if several else None,
        "thumb": thumb_address(served, image_id),
    }


def number(value: float | None) -> float | None:
    """Return JSON has no NaN: null instead."""
    return value if value is not None and math.isfinite(value) else None


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """Return the same of each value."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
