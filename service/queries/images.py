"""Queries about lists of images, and about the units of one image, answered for both the API and the pages."""

from collections.abc import Sequence
from typing import Any

from ...index.analysis.image_units import ImageUnit
from ...index.analysis.images import ImageSort
from ..schemas.images import (
    ImageLayerAnswer,
    ImagesAnswer,
    ImageUnitAnswer,
    ImageUnitsAnswer,
    ListedImageAnswer,
)
from ..stores.registry import ServedStore
from ..stores.urls import crop_address
from .image_labels import is_correct
from .paging import page_of
from .stores import check_image, fact_columns, finite, image_facts, provenance_of

_LISTED = ("width", "height", "loss", "status")


def images(
    served: ServedStore,
    *,
    where: str | None = None,
    sort: ImageSort = "image_id",
    descending: bool | None = None,
    cursor: str | None = None,
    limit: int,
) -> ImagesAnswer:
    """Return a page of the images that a filter keeps. Raises FilterError, UsageError for a foreign cursor.

    descending: None for the order that is useful: by id from the lowest, by anything else from the largest.
    """
    where = where or None
    descending = sort != "image_id" if descending is None else descending
    found = served.analysis.order.ids(where, sort, descending=descending)
    page, following = page_of(served, ("images", where, sort, descending), cursor, limit, len(found))
    return ImagesAnswer(
        **provenance_of(served),
        where=where,
        found=len(found),
        images=[ListedImageAnswer(**row) for row in listed(served, found[page].tolist())],
        next=following,
    )


def image_units(served: ServedStore, image_id: int, *, layer: str | None = None, k: int) -> ImageUnitsAnswer:
    """Return the units with the largest scores in an image, of one layer or of each. Raises NotFoundError,
    LayerError.
    """
    check_image(served.store, image_id)
    (status,) = (row["status"] for row in served.store.images_at([image_id], ["status"]))
    layers = [
        ImageLayerAnswer(layer=name, units=[_unit(served, image_id, unit) for unit in units])
        for name, units in served.analysis.image_units.of(image_id, layer=layer, k=k)
    ]
    return ImageUnitsAnswer(
        **provenance_of(served),
        image_id=image_id,
        status=status,
        images=int(served.store.manifest.counts["ok"]),
        layers=layers,
    )


def listed(served: ServedStore, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the fields of `ListedImageAnswer` for some images, in the order given."""
    rows = served.store.images_at(ids, (*fact_columns(served.store), *_LISTED))
    return [
        {
            **image_facts(served, row),
            **finite({name: row[name] for name in ("width", "height", "loss", "status")}),
            "correct": is_correct(row),
        }
        for row in rows
    ]


def _unit(served: ServedStore, image_id: int, found: ImageUnit) -> ImageUnitAnswer:
    return ImageUnitAnswer(
        unit=found.unit,
        **finite({"value": found.patch.value, "score": found.score}),
        rank=found.rank,
        y=found.patch.y,
        x=found.patch.x,
        box=found.patch.box,
        view=found.patch.view,
        crop=crop_address(served, image_id, found.patch.view),
    )
