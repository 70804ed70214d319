"""Questions to a store, answered for both the API and the pages: rows joined with the images and classes they name."""

import math
from dataclasses import asdict
from typing import Any

from ..common.errors import LayerError, NotFoundError
from ..index.store import Store
from .addresses import crop_address, pixels_address, thumb_address
from .answers import (
    ImageAnswer,
    LayerAnswer,
    LayersAnswer,
    OneUnitAnswer,
    PatchAnswer,
    PatchesAnswer,
    StoreAnswer,
    UnitAnswer,
    UnitsAnswer,
)
from .registry import ServedStore

_SHOWN = ("uri", "width", "height", "label", "label_index", "predicted", "probability")


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


def units(served: ServedStore, layer: str, *, after: int, limit: int) -> UnitsAnswer:
    """Units of a layer from number `after`, with their statistics. Raises LayerError."""
    table = served.store.units(layer)
    page = table.slice(after, limit)
    rows = [UnitAnswer(**finite(row)) for row in page.to_pylist()]
    more = after + limit < table.num_rows
    return UnitsAnswer(**said(served), units=rows, next=str(after + limit) if more else None)


def unit(served: ServedStore, layer: str, number: int) -> OneUnitAnswer:
    """One unit's statistics. Raises LayerError."""
    units_of_layer = served.store.layer(layer).units
    if not 0 <= number < units_of_layer:
        raise LayerError(f"no unit {number} in {layer}: it has units 0 to {units_of_layer - 1}")
    (row,) = served.store.units(layer).slice(number, 1).to_pylist()
    return OneUnitAnswer(**said(served), **finite(row))


def patches(served: ServedStore, layer: str, number: int, *, k: int, where: str | None) -> PatchesAnswer:
    """The k strongest patches of a unit under a filter. Raises LayerError, FilterError."""
    store = served.store
    found = store.top(layer, number, k=k, where=where or None)
    images = store.images_at([patch.image_id for patch in found], _SHOWN)
    rows = [
        PatchAnswer(
            rank=rank,
            value=patch.value,
            image_id=patch.image_id,
            y=patch.y,
            x=patch.x,
            box=patch.box,
            view=patch.view,
            **shown(store, image),
            image=pixels_address(served, patch.image_id),
            crop=crop_address(served, patch.image_id, patch.view),
            thumb=thumb_address(served, patch.image_id),
        )
        for rank, (patch, image) in enumerate(zip(found, images, strict=True), start=1)
    ]
    return PatchesAnswer(**said(served), layer=layer, unit=number, where=where or None, patches=rows)


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
