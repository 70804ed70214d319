"""A unit's patches, for both the API and the pages."""

from dataclasses import dataclass
from typing import Any

from ...index.store.units import Patch
from ..schemas.units import PatchesAnswer
from ..schemas.unvalidated import Unvalidated
from ..stores.registry import ServedStore
from ..stores.urls import crop_address, pixels_address
from .image_cards import Shown, shown
from .stores import number, provenance_of


@dataclass(frozen=True)
class PatchQuery:
    """Which patches of a unit. quantile: around this one of the maxima; None for the strongest."""

    layer: str
    unit: int
    k: int = 9
    where: str | None = None
    quantile: float | None = None


def patches(served: ServedStore, query: PatchQuery) -> Unvalidated[PatchesAnswer]:
    """Return the patches of a unit, under a filter, that are strongest or around a quantile.

    Raises LayerError, FilterError.
    """
    store, where, first = served.store, query.where or None, 1
    if query.quantile is None:
        found = store.top(query.layer, query.unit, k=query.k, where=where)
        images = served.analysis.units.kept(where) if where else _ok(served)
    else:
        first, images, found = served.analysis.units.around(
            query.layer, query.unit, quantile=query.quantile, k=query.k, where=where
        )
    pictured = shown(served, [patch.image_id for patch in found])
    return _draft(served, query, images, _patches(served, found, pictured, first))


def _ok(served: ServedStore) -> int:
    return int(served.store.manifest.counts["ok"])


def _patches(
    served: ServedStore, found: list[Patch], images: list[Shown], first: int
) -> list[dict[str, Any]]:
    return [
        {
            **image.facts,
            "rank": rank,
            "value": number(patch.value),
            "y": patch.y,
            "x": patch.x,
            "box": patch.box,
            "view": patch.view,
            "width": image.width,
            "height": image.height,
            "image": pixels_address(served, patch.image_id),
            "crop": crop_address(served, patch.image_id, patch.view),
        }
        for rank, (patch, image) in enumerate(zip(found, images, strict=True), start=first)
    ]


def _draft(
    served: ServedStore, query: PatchQuery, images: int, rows: list[dict[str, Any]]
) -> Unvalidated[PatchesAnswer]:
    fields = {
        **provenance_of(served),
        "layer": query.layer,
        "unit": query.unit,
        "where": query.where or None,
        "quantile": query.quantile,
        "images": images,
        "exact": True,
        "patches": rows,
    }
    return Unvalidated(PatchesAnswer, fields)
