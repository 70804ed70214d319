"""Questions to a store, answered for both the API and the pages: rows joined with the images and classes they name."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from ..common.errors import LayerError, NotFoundError, UsageError
from ..index.ann import Ann
from ..index.filters import Filter, parse
from ..index.store import Store
from .answers import (
    ImageAnswer,
    LayerAnswer,
    NeighborAnswer,
    NeighborsAnswer,
    PatchAnswer,
    PatchesAnswer,
    StoreAnswer,
    UnitAnswer,
    UnitsAnswer,
)
from .registry import ServedStore

_SHOWN = ("uri", "label", "predicted")


def describe(served: ServedStore) -> StoreAnswer:
    """What the store holds."""
    manifest = served.store.manifest
    return StoreAnswer(
        name=served.name,
        images=manifest.counts["images"],
        ok=manifest.counts["ok"],
        errors=manifest.errors,
        layers=manifest.counts["layers"],
        units=manifest.counts["units"],
        model=manifest.model["spec"],
        weights=manifest.model["weights"],
        random=manifest.model["random"],
        maxima_dtype=manifest.options["maxima_dtype"],
        labels=str(manifest.labels),
        manifest=manifest.hash,
        indexed=served.has_index,
        atlases=served.atlases(),
    )


def layers(served: ServedStore) -> list[LayerAnswer]:
    """All layers, in order of execution."""
    return [LayerAnswer(**asdict(row)) for row in served.store.layers]


def units(served: ServedStore, layer: str, *, after: int, limit: int) -> UnitsAnswer:
    """Units of a layer from number `after`, with their statistics. Raises LayerError."""
    table = served.store.units(layer)
    page = table.slice(after, limit)
    rows = [UnitAnswer(**_finite(row)) for row in page.to_pylist()]
    more = after + limit < table.num_rows
    return UnitsAnswer(units=rows, next=str(after + limit) if more else None)


def unit(served: ServedStore, layer: str, number: int) -> UnitAnswer:
    """One unit's statistics. Raises LayerError."""
    row = asdict(served.store.unit(layer, number))
    row.pop("top")
    return UnitAnswer(**_finite(row))


def patches(served: ServedStore, layer: str, number: int, *, k: int, where: str | None) -> PatchesAnswer:
    """The k strongest patches of a unit under a filter. Raises LayerError, FilterError."""
    store = served.store
    found = store.top(layer, number, k=k, where=where or None)
    images = store.images_at([patch.image_id for patch in found], (*_SHOWN, "width", "height"))
    rows = [
        PatchAnswer(
            rank=rank,
            value=patch.value,
            image_id=patch.image_id,
            y=patch.y,
            x=patch.x,
            box=patch.box,
            view=patch.view,
            **_shown(store, image),
            image=f"{address(served)}/images/{patch.image_id}/pixels",
            crop=crop_address(served, patch.image_id, patch.view),
        )
        for rank, (patch, image) in enumerate(zip(found, images, strict=True), start=1)
    ]
    manifest = store.manifest
    return PatchesAnswer(
        layer=layer,
        unit=number,
        where=where or None,
        maxima_dtype=manifest.options["maxima_dtype"],
        random=manifest.model["random"],
        patches=rows,
    )


def image(served: ServedStore, image_id: int) -> ImageAnswer:
    """Everything known of one image. Raises NotFoundError."""
    store = served.store
    check_image(store, image_id)
    row = store.image(image_id)
    known = {name: row.pop(name) for name in list(row) if name in ImageAnswer.model_fields}
    correct = None
    if known["label_index"] is not None and known["predicted"] is not None:
        correct = known["label_index"] == known["predicted"]
    base = f"{address(served)}/images/{image_id}"
    return ImageAnswer(
        **_finite(known),
        predicted_class=class_name(store, known["predicted"]),
        correct=correct,
        metadata=_finite(row),
        pixels=f"{base}/pixels",
        thumb=f"{base}/thumb",
    )


def neighbors_of_image(
    served: ServedStore, image_id: int, *, k: int, metric: str | None, where: str | None, exact: bool
) -> NeighborsAnswer:
    """The images nearest to an image, itself left out. Raises NotFoundError, and UsageError for one that failed."""
    check_image(served.store, image_id)
    feature = served.store.feature(image_id)
    return neighbors(served, feature, k=k, metric=metric, where=where, exact=exact, exclude=image_id)


def neighbors(
    served: ServedStore,
    feature: np.ndarray,
    *,
    k: int,
    metric: str | None,
    where: str | None,
    exact: bool,
    exclude: int = -1,
) -> NeighborsAnswer:
    """The images nearest to a feature (width,). Raises StoreNotFoundError without an index, UsageError, FilterError."""
    store, ann = served.store, served.ann
    allowed = store.mask(where) if where else None
    distances, ids = ann.search(
        feature[None],
        k,
        exact=exact,
        exclude=np.array([exclude], np.int64),
        allowed=allowed,
        metric=metric if metric in ("l2", "cosine") else None,
    )
    kept = [(float(d), int(i)) for d, i in zip(distances[0], ids[0], strict=True) if i >= 0]
    rows = store.images_at([image_id for _, image_id in kept], _SHOWN)
    answers = [
        NeighborAnswer(
            rank=rank,
            distance=distance,
            image_id=image_id,
            **_shown(store, row),
            thumb=thumb_address(served, image_id),
        )
        for rank, ((distance, image_id), row) in enumerate(zip(kept, rows, strict=True), start=1)
    ]
    is_exact = exact or ann.index is None or (metric is not None and metric != ann.metric)
    return NeighborsAnswer(
        metric=metric or ann.metric,
        exact=is_exact,
        recall=None if is_exact else _recall(ann),
        where=where or None,
        random=store.manifest.model["random"],
        neighbors=answers,
    )


def _recall(ann: Ann) -> float | None:
    value = ann.manifest.get("recall")
    return float(value) if isinstance(value, int | float) else None


def check_image(store: Store, image_id: int) -> None:
    """Raises NotFoundError for an id that is none."""
    if not 0 <= image_id < store.images_count:
        raise NotFoundError(f"no image {image_id}: the ids are 0 to {store.images_count - 1}")


def check_filter(store: Store, where: str | None) -> Filter | None:
    """The parsed filter, None for an empty one. Raises FilterError."""
    return parse(where, store.images_schema) if where else None


def class_name(store: Store, predicted: int | None) -> str | None:
    """The name of the model's class, None where it has none."""
    if predicted is None or store.classes is None or not 0 <= predicted < len(store.classes):
        return None
    return store.classes[predicted]


def parse_unit(store: Store, text: str) -> tuple[str, int]:
    """ "LAYER UNIT", as a person types it: "features.10 17", "features.10/17", "unit 17 of features.10"."""
    words = text.replace("/", " ").replace(",", " ").split()
    words = [word for word in words if word.lower() not in ("unit", "of", "layer")]
    numbers = [word for word in words if word.isdigit()]
    names = [word for word in words if any(layer.layer == word for layer in store.layers)]
    if len(names) == 1 and len(numbers) >= 1:
        rest = [word for word in numbers if word != names[0]] or numbers
        return names[0], int(rest[0])
    raise LayerError(
        f"{text!r} names no unit: write a layer and a number, as in {store.layers[0].layer!r} 17"
    )


def address(served: ServedStore) -> str:
    """Where the API answers for a store."""
    return f"/api/v1/stores/{served.name}"


def thumb_address(served: ServedStore, image_id: int) -> str:
    return f"{address(served)}/images/{image_id}/thumb"


def crop_address(served: ServedStore, image_id: int, box: tuple[int, int, int, int]) -> str:
    """Where a box of an image is shown."""
    return f"{address(served)}/images/{image_id}/crop?box={','.join(map(str, box))}"


def parse_box(text: str) -> tuple[int, int, int, int]:
    """x0,y0,x1,y1. Raises UsageError."""
    pieces = text.split(",")
    if len(pieces) != 4 or not all(piece.lstrip("-").isdigit() and len(piece) < 10 for piece in pieces):
        raise UsageError(f"box={text!r}: give x0,y0,x1,y1 in whole pixels of the image")
    x0, y0, x1, y1 = map(int, pieces)
    if x1 <= x0 or y1 <= y0:
        raise UsageError(f"box={text!r} is empty: x1 must be more than x0, and y1 more than y0")
    return x0, y0, x1, y1


def _shown(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "predicted_class": class_name(store, row["predicted"])}


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: null instead."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
