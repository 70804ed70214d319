"""Regions of an atlas as the API and the pages show them: their images, classes and units."""

import hashlib
from dataclasses import dataclass

import numpy as np

from ...index.atlas import Atlas
from ...index.filters import parse
from ...index.map_places import CORNERS
from ...index.region_facts import region_accuracy, region_classes, region_loss, region_units
from ..addresses import patch_picture_address
from ..answers.atlases import ViewName
from ..answers.images import ListedImageAnswer
from ..answers.regions import (
    CounterpartAnswer,
    ExtentAnswer,
    RegionAnswer,
    RegionClassAnswer,
    RegionImagesAnswer,
    RegionUnitAnswer,
    RegionUnitsAnswer,
)
from ..fresh import Version
from ..registry import ServedStore
from .ask import check_image, class_name, said
from .cursors import page_of
from .images import listed

REGION_PATTERN = (
    rf"^-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?,-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?"
    rf"(;-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?,-?[0-9]{{1,7}}(\.[0-9]{{1,4}})?){{2,{CORNERS - 1}}}$"
)
"""x,y;x,y;…: the corners of a polygon, in cells from the grid's upper left corner."""


@dataclass(frozen=True)
class Drawn:
    """A region, and the atlas that it was drawn in."""

    served: ServedStore
    found: Version[Atlas]
    grid: ViewName
    region: str

    @property
    def key(self) -> tuple[str, ...]:
        """All that its images follow from."""
        return self.served.hash, self.found.digest, self.grid, self.region

    @property
    def digest(self) -> str:
        """The key in one word."""
        return hashlib.sha256("\0".join(self.key).encode()).hexdigest()

    def places(self) -> np.ndarray:
        """(m,) int64, ascending: the images' places in the atlas."""
        facts = self.served.facts.overlays
        corners = np.array([[float(one) for one in corner.split(",")] for corner in self.region.split(";")])
        return facts.kept(
            ("region", self.found.digest, self.grid, self.region),
            lambda: facts.places(self.found.value, self.found.digest, self.grid).inside(corners),
            lambda made: made.nbytes,
        )

    def ids(self) -> np.ndarray:
        """(m,) int64 image ids, ascending."""
        return self.found.value.images[self.places()]


def images_of(served: ServedStore, drawn: Drawn) -> np.ndarray:
    """(m,) int64: the images of a region, by their ids here; it may have been drawn in the atlas of another store."""
    ids = drawn.ids()
    if drawn.served.hash == served.hash:
        return ids
    here = drawn.served.facts.counterparts(served.store)[ids]
    return here[here >= 0]


def region(drawn: Drawn) -> RegionAnswer:
    """The region against the rest of the map."""
    served, on_map, inside = drawn.served, drawn.found.value.images, drawn.ids()
    images = served.facts.images()
    accuracy, loss = region_accuracy(images, inside, on_map), region_loss(images, inside, on_map)
    return RegionAnswer(
        **said(served),
        atlas=drawn.found.value.name,
        grid=drawn.grid,
        region=drawn.region,
        images=len(inside),
        on_map=len(on_map),
        accuracy=accuracy.region,
        rest_accuracy=accuracy.rest,
        loss=loss.region,
        rest_loss=loss.rest,
        classes=[
            RegionClassAnswer(
                **one._asdict(),
                label_class=None if one.label is None else _class_of(served, one.label),
                lift=one.share / one.rest if one.rest else None,
            )
            for one in region_classes(images, inside, on_map)
        ],
    )


def region_images(drawn: Drawn, *, cursor: str | None, limit: int) -> RegionImagesAnswer:
    """A page of the region's images. Raises UsageError for a foreign cursor."""
    served = drawn.served
    ids = ordered_images(drawn)
    page, following = page_of(served, ("region", drawn.key), cursor, limit, len(ids))
    return RegionImagesAnswer(
        **said(served),
        atlas=drawn.found.value.name,
        grid=drawn.grid,
        region=drawn.region,
        found=len(ids),
        images=[ListedImageAnswer(**row) for row in listed(served, ids[page].tolist())],
        next=following,
    )


def ordered_images(drawn: Drawn) -> np.ndarray:
    """(m,) int64 image ids: those nearest to the middle of the region's images first."""
    places = drawn.places()
    lie = drawn.served.facts.overlays.places(drawn.found.value, drawn.found.digest, drawn.grid)
    x, y = lie.x[places], lie.y[places]
    if len(places):
        x, y = x - np.median(x), y - np.median(y)
    return drawn.found.value.images[places[np.argsort(x * x + y * y, kind="stable")]]


def units(drawn: Drawn, *, layer: str | None, k: int) -> RegionUnitsAnswer:
    """The most characteristic units, of one layer or of all. Raises LayerError."""
    served = drawn.served
    layers = (
        [row.layer for row in served.store.layers] if layer is None else [served.store.layer(layer).layer]
    )
    inside = drawn.ids()
    found = served.facts.overlays.kept(
        ("units", drawn.key, layer, k),
        lambda: region_units(served.store, layers, inside, k),
        lambda made: 200 * len(made.units) + 100,
    )
    return RegionUnitsAnswer(
        **said(served),
        atlas=drawn.found.value.name,
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


def extent(served: ServedStore, found: Version[Atlas], grid: ViewName, where: str) -> ExtentAnswer:
    """Where the images that a filter keeps lie. Raises FilterError."""
    kept = served.store.mask(parse(where, served.store.images_schema))[found.value.images]
    places = np.flatnonzero(kept)
    box = served.facts.overlays.places(found.value, found.digest, grid).box(places)
    return ExtentAnswer(
        **said(served), atlas=found.value.name, grid=grid, where=where, images=len(places), box=box
    )


def counterpart(served: ServedStore, image_id: int, other: ServedStore) -> CounterpartAnswer:
    """The same image in another store. Raises NotFoundError for an id that is none."""
    check_image(served.store, image_id)
    there = int(served.facts.counterparts(other.store)[image_id])
    return CounterpartAnswer(
        **said(served), image_id=image_id, other=other.name, counterpart=there if there >= 0 else None
    )


def _class_of(served: ServedStore, label: str) -> str | None:
    return class_name(served.store, served.facts.classes.find(label).label_index)
