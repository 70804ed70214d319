"""Questions to a store, answered for both the API and the pages: rows joined with the images and classes they name."""

import math
from dataclasses import asdict
from typing import Any

from ...common.errors import NotFoundError
from ...index.store import Store
from ..addresses import pixels_address, thumb_address
from ..answers.stores import ImageAnswer, LayerAnswer, LayersAnswer, StoreAnswer
from ..registry import ServedStore


def said(served: ServedStore) -> dict[str, Any]:
    """What every answer of a store begins with."""
    return {"store": served.name, **served.provenance}


def describe(served: ServedStore) -> StoreAnswer:
    """What the store holds."""
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
        labels=str(manifest.labels),
        indexed=served.has_index,
        atlases=served.atlases(),
    )


def layers(served: ServedStore) -> LayersAnswer:
    """All layers, in order of execution."""
    return LayersAnswer(**said(served), layers=[LayerAnswer(**asdict(row)) for row in served.store.layers])


def image(served: ServedStore, image_id: int) -> ImageAnswer:
    """Everything known of one image. Raises NotFoundError."""
    store = served.store
    check_image(store, image_id)
    row = store.image(image_id)
    known = {name: row.pop(name) for name in list(row) if name in _IMAGE_COLUMNS}
    correct = None
    if known["label_index"] is not None and known["predicted"] is not None:
        correct = known["label_index"] == known["predicted"]
    return ImageAnswer(
        **said(served),
        **finite(known),
        **classes(store, known),
        correct=correct,
        metadata=finite(row),
        pixels=pixels_address(served, image_id),
        thumb=thumb_address(served, image_id),
    )


_IMAGE_COLUMNS = frozenset(
    ("image_id", "uri", "sha256", "width", "height", "label", "label_index", "predicted", "probability")
) | {"loss", "status"}


def check_image(store: Store, image_id: int) -> None:
    """Raises NotFoundError for an id that is none."""
    if not 0 <= image_id < store.images_count:
        raise NotFoundError(f"no image {image_id}: the ids are 0 to {store.images_count - 1}")


def class_name(store: Store, index: int | None) -> str | None:
    """The name of the model's class, None where it has none."""
    if index is None or store.classes is None or not 0 <= index < len(store.classes):
        return None
    return store.classes[index]


def shown(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """A row of images/ with the names of its classes."""
    return {**finite(row), **classes(store, row)}


def classes(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """The model's names for what an image is and for what it was taken for."""
    return {
        "label_class": class_name(store, row["label_index"]),
        "predicted_class": class_name(store, row["predicted"]),
    }


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: null instead."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
