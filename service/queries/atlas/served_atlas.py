"""One version of an atlas of a store, with what is known of its items: where each question about an atlas starts."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from ....common.errors import NotFoundError, StoreError
from ....index.atlas.atlas import Atlas
from ....index.overlays.items import ImageItems, MapItems, SampleItems, UnitItems
from ...schemas.atlases import AtlasKind
from ...stores.registry import ServedStore, StoreAtlas
from ...stores.urls import atlas_address
from ...stores.versioned import Version, part_version


@dataclass(frozen=True)
class ServedAtlas:
    """found: the open atlas, of the store `served`."""

    served: ServedStore
    found: Version[StoreAtlas]

    @property
    def name(self) -> str:
        """In addresses."""
        return self.found.value.name

    @property
    def kind(self) -> AtlasKind:
        """What is on it."""
        return cast("AtlasKind", self.found.value.kind)

    @property
    def layer(self) -> str | None:
        """Of an atlas of units or activations."""
        return self.found.value.layer

    @property
    def atlas(self) -> Atlas:
        """The map itself."""
        return self.found.value.atlas

    @property
    def digest(self) -> str:
        """Of its manifest."""
        return self.found.digest

    @property
    def version(self) -> str:
        """As `v=` names it."""
        return part_version(self.found)

    @property
    def address(self) -> str:
        """Where the API answers for it."""
        return atlas_address(self.served, self.name)

    @cached_property
    def items(self) -> MapItems:
        """All items that it may show."""
        served, opened = self.served, self.found.value
        images = ImageItems(served.store, served.analysis.images)
        if opened.layer is None:
            return images
        if opened.sample is None:
            return UnitItems(served.analysis.units.layer(opened.layer), served.analysis.similar)
        return SampleItems(opened.layer, opened.sample, images)

    @property
    def items_key(self) -> Hashable:
        """Names the items among those of all atlases of the store."""
        return None if self.layer is None else (self.name, self.digest)

    def check_item(self, item: int) -> None:
        """Raise NotFoundError for a number that no item has."""
        if not 0 <= item < self.items.count:
            raise NotFoundError(f"no {self.items.one} {item}: they are numbered 0 to {self.items.count - 1}")


def served_atlas(served: ServedStore, name: str, v: str | None = None) -> Version[ServedAtlas]:
    """Return an atlas by its name. v: the version that it must have, None for any.

    Raises LayerError, NotBuiltError, and StoreError where `v` names another version: tiles must not be mixed.
    """
    found = served.atlas(name)
    if v is not None and v != part_version(found):
        raise StoreError(f"the atlas {name} has been made again since v={v[:64]}: load the page again")
    return Version(ServedAtlas(served, found), found.digest, found.stamp)
