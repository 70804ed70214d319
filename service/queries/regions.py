"""Regions of an atlas as the API and the pages show them: their images, classes and units."""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...index.overlays.positions import CORNERS, MapPlaces
from ...index.overlays.regions import Contrast, RegionUnits, contrast, region_classes, region_units
from ..schemas.atlases import ViewName
from ..schemas.images import ListedImageAnswer
from ..schemas.regions import (
    CounterpartAnswer,
    ExtentAnswer,
    RegionAnswer,
    RegionClassAnswer,
    RegionFactAnswer,
    RegionImagesAnswer,
    RegionUnitAnswer,
    RegionUnitsAnswer,
)
from ..stores.registry import ServedStore
from ..stores.urls import patch_picture_address
from .images import listed
from .maps import MapVersion
from .paging import page_of
from .stores import check_image, provenance_of

REGION_PATTERN = (
    rf"^-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?,-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?"
    rf"(;-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?,-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?){{2,{CORNERS - 1}}}$"
)
"""x,y;x,y;…: the corners of a polygon, in cells from the grid's upper left corner."""


@dataclass(frozen=True)
class Drawn:
    """A region, and the map that it was drawn in."""

    shown: MapVersion
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


def items_of(shown: MapVersion, drawn: Drawn) -> np.ndarray:
    """Return (m,) int64: the items of a region, by their numbers here; it may have been drawn in another store's
    atlas.
    """
    ids = drawn.ids()
    if drawn.served.hash == shown.served.hash:
        return ids
    here = drawn.served.analysis.counterparts(shown.served.store)[ids]
    return here[here >= 0]


def region(drawn: Drawn) -> RegionAnswer:
    """Return the region of a map of images against the rest of it."""
    facts, inside = _contrasts(drawn), drawn.ids()
    accuracy, loss = facts["accuracy"], facts["mean loss"]
    return RegionAnswer(
        **provenance_of(drawn.served),
        atlas=drawn.shown.atlas.name,
        grid=drawn.grid,
        region=drawn.region,
        images=len(inside),
        on_map=len(drawn.shown.atlas.images),
        accuracy=accuracy.region,
        rest_accuracy=accuracy.rest,
        loss=loss.region,
        rest_loss=loss.rest,
        classes=classes(drawn),
    )


def facts(drawn: Drawn) -> list[RegionFactAnswer]:
    """Return what of the items is known in numbers: means over the region and over the rest."""
    found = _contrasts(drawn).items()
    return [RegionFactAnswer(name=name, region=one.region, rest=one.rest) for name, one in found]


def classes(drawn: Drawn) -> list[RegionClassAnswer]:
    """Return the region's labels against those of the rest, the commonest first."""
    shown = drawn.shown
    return [
        RegionClassAnswer(
            **one._asdict(),
            label_class=None if one.label is None else _class_of(drawn.served, one.label),
            lift=one.share / one.rest if one.rest else None,
        )
        for one in region_classes(shown.items.labels(), drawn.ids(), shown.atlas.images)
    ]


def _contrasts(drawn: Drawn) -> dict[str, Contrast]:
    inside, on_map = drawn.ids(), drawn.shown.atlas.images
    values = drawn.shown.items.contrasts().items()
    return {name: contrast(one, inside, on_map) for name, one in values}


def region_images(drawn: Drawn, *, cursor: str | None, limit: int) -> RegionImagesAnswer:
    """Return a page of the region's images. Raises UsageError for a foreign cursor."""
    page = region_page(drawn, cursor=cursor, limit=limit)
    return RegionImagesAnswer(
        **provenance_of(drawn.served),
        atlas=drawn.shown.atlas.name,
        grid=drawn.grid,
        region=drawn.region,
        found=page.found,
        images=[ListedImageAnswer(**row) for row in listed(drawn.served, page.items)],
        next=page.next,
    )


class RegionPage(NamedTuple):
    """Some of the items of a region. found: how many there are; next: the cursor of the next page."""

    items: list[int]
    found: int
    next: str | None


def region_page(drawn: Drawn, *, cursor: str | None, limit: int) -> RegionPage:
    """Return a page of the region's items. Raises UsageError for a foreign cursor."""
    ids = ordered_items(drawn)
    page, following = page_of(drawn.served, ("region", drawn.key), cursor, limit, len(ids))
    return RegionPage(ids[page].tolist(), len(ids), following)


def ordered_items(drawn: Drawn) -> np.ndarray:
    """Return (m,) int64 items: those nearest to the middle of the region's first."""
    places, lie = drawn.places(), drawn.lie()
    x, y = lie.x[places], lie.y[places]
    if len(places):
        x, y = x - np.median(x), y - np.median(y)
    return drawn.shown.atlas.images[places[np.argsort(x * x + y * y, kind="stable")]]


def units(drawn: Drawn, *, layer: str | None, k: int) -> RegionUnitsAnswer:
    """Return the most characteristic units, of one layer or of all. Raises LayerError."""
    served = drawn.served
    layers = (
        [row.layer for row in served.store.layers] if layer is None else [served.store.layer(layer).layer]
    )
    inside = drawn.ids()
    return units_answer(drawn, (layer, k), lambda: region_units(served.store, layers, inside, k))


def units_answer(drawn: Drawn, asked: Hashable, find: Callable[[], RegionUnits]) -> RegionUnitsAnswer:
    """Return the units that `find` finds in a region, kept. asked: what beside the region it looks for."""
    served, inside = drawn.served, drawn.ids()
    found = served.overlays.kept(("units", drawn.key, asked), find, lambda made: 200 * len(made.units) + 100)
    return RegionUnitsAnswer(
        **provenance_of(served),
        atlas=drawn.shown.atlas.name,
        grid=drawn.grid,
        region=drawn.region,
        images=len(inside),
        looked_at=found.images,
        exact=found.exact,
        units=[
            RegionUnitAnswer(**one._asdict(), picture=patch_picture_address(served, one.layer, one.unit, 1))
            for one in found.units
        ],
    )


def extent(shown: MapVersion, grid: ViewName, where: str) -> ExtentAnswer:
    """Return where the items that a filter keeps lie. Raises FilterError."""
    atlas = shown.atlas
    places = np.flatnonzero(shown.items.mask(where)[atlas.images])
    box = shown.served.overlays.places(atlas, shown.digest, grid).box(places)
    return ExtentAnswer(
        **provenance_of(shown.served),
        atlas=atlas.name,
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
