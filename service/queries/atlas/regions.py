"""Regions of an atlas as the API and the pages show them: their items, classes and characteristic units."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ....common.errors import UsageError
from ....index.overlays.positions import CORNERS, MapPlaces
from ....index.overlays.regions import RegionUnits, contrast, region_classes, region_units, sample_units
from ...schemas.atlases import ViewName
from ...schemas.images import ListedImageAnswer
from ...schemas.regions import (
    CounterpartAnswer,
    ExtentAnswer,
    ImagesInRegionAnswer,
    RegionAnswer,
    RegionClassAnswer,
    RegionFactAnswer,
    RegionItems,
    RegionUnitAnswer,
    RegionUnitsAnswer,
    SamplesInRegionAnswer,
    UnitsInRegionAnswer,
)
from ...stores.registry import ServedStore
from ...stores.urls import patch_picture_address
from ..images import listed
from ..paging import page_of
from ..stores import check_image, provenance_of
from .items import sample_answer, unit_answer
from .served_atlas import ServedAtlas

REGION_PATTERN = (
    rf"^-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?,-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?"
    rf"(;-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?,-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?){{2,{CORNERS - 1}}}$"
)
"""x,y;x,y;…: the corners of a polygon, in cells from the grid's upper left corner."""


@dataclass(frozen=True)
class Selection:
    """A region, and the map that it was drawn in."""

    shown: ServedAtlas
    grid: ViewName
    region: str

    @property
    def served(self) -> ServedStore:
        """The store of the map."""
        return self.shown.served

    @property
    def key(self) -> tuple[str, ...]:
        """All that its items follow from."""
        return self.served.hash, self.shown.digest, self.grid, self.region

    @property
    def digest(self) -> str:
        """The key in one word."""
        return hashlib.sha256("\0".join(self.key).encode()).hexdigest()

    def places(self) -> np.ndarray:
        """Return (m,) int64, ascending: the items' places in the atlas."""
        corners = np.array([[float(one) for one in corner.split(",")] for corner in self.region.split(";")])
        return self.served.overlays.kept(
            ("region", self.shown.digest, self.grid, self.region),
            lambda: self.lie().inside(corners),
            lambda made: made.nbytes,
        )

    def lie(self) -> MapPlaces:
        """Return where all items of the map lie."""
        return self.served.overlays.places(self.shown.atlas, self.shown.digest, self.grid)

    def ids(self) -> np.ndarray:
        """Return (m,) int64 items, ascending."""
        return self.shown.atlas.images[self.places()]


def items_of(shown: ServedAtlas, selection: Selection) -> np.ndarray:
    """Return (m,) int64: the items of a region, by their numbers here; it may have been drawn in another store's
    atlas.
    """
    ids = selection.ids()
    if selection.served.hash == shown.served.hash:
        return ids
    here = selection.served.analysis.counterparts(shown.served.store)[ids]
    return here[here >= 0]


def region(selection: Selection) -> RegionAnswer:
    """Return a region against the rest of the map."""
    return RegionAnswer(
        **_of(selection),
        kind=selection.shown.kind,
        items=len(selection.places()),
        on_map=len(selection.shown.atlas.images),
        facts=facts(selection),
        classes=classes(selection),
    )


def _of(selection: Selection) -> dict[str, Any]:
    """Return what every answer about a region begins with."""
    facts: dict[str, Any] = {
        "atlas": selection.shown.name,
        "grid": selection.grid,
        "region": selection.region,
    }
    return {**provenance_of(selection.served), **facts}


def facts(selection: Selection) -> list[RegionFactAnswer]:
    """Return what of the items is known in numbers: means over the region and over the rest."""
    inside, on_map = selection.ids(), selection.shown.atlas.images
    found = {name: contrast(one, inside, on_map) for name, one in selection.shown.items.contrasts().items()}
    return [RegionFactAnswer(name=name, region=one.region, rest=one.rest) for name, one in found.items()]


def classes(selection: Selection) -> list[RegionClassAnswer]:
    """Return the region's labels against those of the rest, the commonest first."""
    shown = selection.shown
    return [
        RegionClassAnswer(
            label=one.label,
            label_class=None if one.label is None else _class_of(selection.served, one.label),
            items=one.items,
            share=one.share,
            rest=one.rest,
            lift=one.share / one.rest if one.rest else None,
        )
        for one in region_classes(shown.items.labels(), selection.ids(), shown.atlas.images)
    ]


def region_items(selection: Selection, *, cursor: str | None, limit: int) -> RegionItems:
    """Return a page of the region's items. Raises UsageError for a foreign cursor."""
    page = region_page(selection, cursor=cursor, limit=limit)
    facts: dict[str, Any] = {**_of(selection), "found": page.found, "next": page.next}
    members = region_members(selection.shown, page.items)
    if selection.shown.kind == "units":
        return UnitsInRegionAnswer(**facts, items=members)
    if selection.shown.kind == "activations":
        return SamplesInRegionAnswer(**facts, items=members)
    return ImagesInRegionAnswer(**facts, items=members)


def region_members(shown: ServedAtlas, items: list[int]) -> list[Any]:
    """Return each item as an answer has it: ListedImageAnswer, UnitAnswer or SampleAnswer, by the kind of the atlas."""
    if shown.layer is None:
        return [ListedImageAnswer(**row) for row in listed(shown.served, items)]
    return [unit_answer(shown, item) or sample_answer(shown, item) for item in items]


class RegionPage(NamedTuple):
    """Some of the items of a region. found: how many there are; next: the cursor of the next page."""

    items: list[int]
    found: int
    next: str | None


def region_page(selection: Selection, *, cursor: str | None, limit: int) -> RegionPage:
    """Return a page of the region's items. Raises UsageError for a foreign cursor."""
    ids = ordered_items(selection)
    page, following = page_of(selection.served, ("region", selection.key), cursor, limit, len(ids))
    return RegionPage(ids[page].tolist(), len(ids), following)


def ordered_items(selection: Selection) -> np.ndarray:
    """Return (m,) int64 items: those nearest to the middle of the region's first."""
    places, lie = selection.places(), selection.lie()
    x, y = lie.x[places], lie.y[places]
    if len(places):
        x, y = x - np.median(x), y - np.median(y)
    return selection.shown.atlas.images[places[np.argsort(x * x + y * y, kind="stable")]]


def characteristic_units(selection: Selection, *, layer: str | None, k: int) -> RegionUnitsAnswer:
    """Return the units that stand out most in a region, of one layer or of all.

    Over images they are compared by their maxima, over samples by the activations of the atlas's own layer. Raises
    LayerError, and UsageError for an atlas of units, or another layer than that of the samples.
    """
    shown, served, inside = selection.shown, selection.served, selection.ids()
    if shown.kind == "units":
        raise UsageError(
            f"{shown.name} maps units: `region/items` lists those in a region, and no others can be compared there"
        )
    if shown.layer is not None and layer not in (None, shown.layer):
        raise UsageError(
            f"{shown.name} can only be asked about units of {shown.layer}, not of layer={layer!r:.200}"
        )
    layers = [row.layer for row in served.store.layers if layer in (None, row.layer)]
    if layer is not None and not layers:
        served.store.layer(layer)

    def find() -> RegionUnits:
        sample = shown.found.value.sample
        if sample is None or shown.layer is None:
            return region_units(served.store, layers, inside, k)
        return sample_units(sample, shown.layer, inside, shown.atlas.images, k)

    found = served.overlays.kept(
        ("units", selection.key, shown.name, layer, k), find, lambda made: 200 * len(made.units) + 100
    )
    return RegionUnitsAnswer(
        **_of(selection),
        items=len(inside),
        looked_at=found.images,
        exact=found.exact,
        units=[
            RegionUnitAnswer(**one._asdict(), picture=patch_picture_address(served, one.layer, one.unit, 1))
            for one in found.units
        ],
    )


def extent(shown: ServedAtlas, grid: ViewName, where: str) -> ExtentAnswer:
    """Return where the items that a filter keeps lie. Raises FilterError."""
    atlas = shown.atlas
    places = np.flatnonzero(shown.items.mask(where)[atlas.images])
    box = shown.served.overlays.places(atlas, shown.digest, grid).box(places)
    return ExtentAnswer(
        **provenance_of(shown.served),
        atlas=shown.name,
        grid=grid,
        where=where,
        items=len(places),
        box=None if box is None else list(box),
    )


def counterpart(served: ServedStore, image_id: int, other: ServedStore) -> CounterpartAnswer:
    """Return the same image in another store. Raises NotFoundError for an id that is none."""
    check_image(served.store, image_id)
    there = int(served.analysis.counterparts(other.store)[image_id])
    return CounterpartAnswer(
        **provenance_of(served),
        image_id=image_id,
        other=other.name,
        counterpart=there if there >= 0 else None,
    )


def _class_of(served: ServedStore, label: str) -> str | None:
    return served.store.class_name(served.analysis.classes.find(label).label_index)
