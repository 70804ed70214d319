"""The maps that overlays and regions are asked about: the store's atlases, and those of single layers."""

from collections.abc import Hashable
from dataclasses import dataclass

from ...common.errors import NotFoundError
from ...index.atlas.atlas import Atlas
from ...index.atlas.layer_atlas import LayerAtlas
from ...index.format.layer_folders import UNITS
from ...index.overlays.items import ImageItems, MapItems, SampleItems, UnitItems
from ..schemas.atlases import Kind
from ..stores.registry import ServedStore
from ..stores.versioned import Version


@dataclass(frozen=True)
class MapVersion:
    """One version of a map, and what is on it. key: of its items, among all that a store's maps show."""

    served: ServedStore
    found: Version[Atlas]
    items: MapItems
    key: Hashable = None

    @property
    def atlas(self) -> Atlas:
        """The map itself."""
        return self.found.value

    @property
    def digest(self) -> str:
        """Of its manifest."""
        return self.found.digest


def map_of(served: ServedStore, found: Version[Atlas]) -> MapVersion:
    """Return an atlas of the store's images."""
    return MapVersion(served, found, images_of_store(served))


def map_of_layer(served: ServedStore, found: Version[LayerAtlas], kind: Kind) -> MapVersion:
    """Return one of a layer's own."""
    inner = Version(found.value.atlas, found.digest, found.stamp)
    items = items_of_layer(served, found.value, kind)
    return MapVersion(served, inner, items, (found.value.layer, kind, found.digest))


def items_of_layer(served: ServedStore, of_layer: LayerAtlas, kind: Kind) -> MapItems:
    """Return what is on it."""
    if kind == UNITS:
        return UnitItems(served.analysis.units.layer(of_layer.layer), served.analysis.similar)
    assert of_layer.sample is not None
    return SampleItems(of_layer.layer, of_layer.sample, images_of_store(served))


def images_of_store(served: ServedStore) -> ImageItems:
    """Return all images of a store."""
    return ImageItems(served.store, served.analysis.images)


def check_item(items: MapItems, item: int) -> None:
    """Raise NotFoundError for a number that no item has."""
    if not 0 <= item < items.count:
        raise NotFoundError(f"no {items.one} {item}: they are numbered 0 to {items.count - 1}")
