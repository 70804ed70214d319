"""A unit's patches, for both the API and the pages."""

from dataclasses import dataclass
from typing import Any

from ...index.unit_reader import Patch
from ..addresses import crop_address, pixels_address
from ..answers.draft import Draft
from ..answers.units import PatchesAnswer
from ..registry import ServedStore
from .ask import IMAGE_COLUMNS, image_facts, number, said

_SHOWN = (*IMAGE_COLUMNS, "width", "height")


@dataclass(frozen=True)
class PatchQuery:
    """Which patches of a unit. quantile: around this one of the maxima; None for the strongest."""

    layer: str
    unit: int
    k: int = 9
    where: str | None = None
    quantile: float | None = None


def patches(served: ServedStore, query: PatchQuery) -> Draft[PatchesAnswer]:
    """The patches of a unit, under a filter, that are strongest or around a quantile.

    Raises LayerError, FilterError.
    """
    store, where, first = served.store, query.where or None, 1
    if query.quantile is None:
        found = store.top(query.layer, query.unit, k=query.k, where=where)
        images = served.facts.units.kept(where) if where else _ok(served)
    else:
        first, images, found = served.facts.units.around(
            query.layer, query.unit, quantile=query.quantile, k=query.k, where=where
        )
    rows = store.images_at([patch.image_id for patch in found], _SHOWN)
    return _draft(served, query, images, _patches(served, found, rows, first))


def patches_at_hand(served: ServedStore, query: PatchQuery) -> Draft[PatchesAnswer] | None:
    """The same of the strongest of all images; None where something would have to be read or computed."""
    if query.where or query.quantile is not None:
        return None
    store = served.store
    found = store.top_at_hand(query.layer, query.unit, k=query.k)
    if found is None:
        return None
    rows = store.images_at_hand([patch.image_id for patch in found], _SHOWN)
    return None if rows is None else _draft(served, query, _ok(served), _patches(served, found, rows, 1))


def _ok(served: ServedStore) -> int:
    return int(served.store.manifest.counts["ok"])


def _patches(
    served: ServedStore, found: list[Patch], rows: list[dict[str, Any]], first: int
) -> list[dict[str, Any]]:
    return [
        {
            **image_facts(served, row),
            "rank": rank,
            "value": number(patch.value),
            "y": patch.y,
            "x": patch.x,
            "box": patch.box,
            "view": patch.view,
            "width": row["width"],
            "height": row["height"],
            "image": pixels_address(served, patch.image_id),
            "crop": crop_address(served, patch.image_id, patch.view),
        }
        for rank, (patch, row) in enumerate(zip(found, rows, strict=True), start=first)
    ]


def _draft(
    served: ServedStore, query: PatchQuery, images: int, rows: list[dict[str, Any]]
) -> Draft[PatchesAnswer]:
    fields = {
        **said(served),
        "layer": query.layer,
        "unit": query.unit,
        "where": query.where or None,
        "quantile": query.quantile,
        "images": images,
        "exact": True,
        "patches": rows,
    }
    return Draft(PatchesAnswer, fields)
