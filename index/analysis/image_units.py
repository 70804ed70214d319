"""The units that one image fires most, where it does, and how many images fire them more."""

from typing import NamedTuple

from ...common.errors import StoreError
from ..caching.once import OnceCache
from ..store.store import Store
from ..store.summaries import StrongUnit
from ..store.units import Patch

_UNIT_BYTES = 600
RANK_BYTES = 128 << 20
"""Ranks are found by reading the units' maxima only where these are at most this many bytes."""


class ImageUnit(NamedTuple):
    """score: (value - mean) / std. rank: 1 + how many images have a larger maximum; None where that is not known."""

    unit: int
    score: float
    rank: int | None
    patch: Patch


class ImageUnits:
    """The strongest units of the images of one store. Any threads may share it."""

    def __init__(self, store: Store, cache: OnceCache) -> None:
        self._store, self._cache = store, cache

    def of(self, image_id: int, *, layer: str | None, k: int) -> list[tuple[str, list[ImageUnit]]]:
        """Return, of one layer or of each, the k units with the largest scores; none of an image that failed.

        Raises LayerError, UsageError for an id that is none, and StoreError for a store that does not keep them.
        """
        wanted = None if layer is None else self._store.layer(layer).layer
        key = ("units of image", image_id, wanted, k)
        return self._cache.get(key, lambda: self._of(image_id, wanted, k), _bytes)

    def _of(self, image_id: int, wanted: str | None, k: int) -> list[tuple[str, list[ImageUnit]]]:
        strongest = self._store.strongest_units(image_id)
        if strongest is None:
            raise StoreError(
                "an older release of Unitscope made this store and did not keep the strongest units of images; sweep "
                "again into a new folder"
            )
        found = [
            (row.layer, units[:k])
            for row, units in zip(self._store.layers, strongest, strict=True)
            if wanted in (None, row.layer) and units
        ]
        reads = sum(len(units) for _, units in found) * self._store.images_count * 4
        return [(name, self._units(name, units, image_id, reads <= RANK_BYTES)) for name, units in found]

    def _units(self, layer: str, units: list[StrongUnit], image_id: int, ranked: bool) -> list[ImageUnit]:
        found = self._store.patches_in(layer, [unit.unit for unit in units], image_id, ranked=ranked)
        return [
            ImageUnit(unit.unit, unit.score, rank if ranked else self._stored_rank(unit, patch), patch)
            for unit, (patch, rank) in zip(units, found, strict=True)
        ]

    def _stored_rank(self, unit: StrongUnit, patch: Patch) -> int | None:
        """Return the rank, where the stored strongest patches tell it."""
        stored = [one.value for one in self._store.unit(unit.layer, unit.unit).top]
        if not stored or patch.value < stored[-1]:
            return None
        return 1 + sum(value > patch.value for value in stored)


def _bytes(found: list[tuple[str, list[ImageUnit]]]) -> int:
    return sum(len(name) + 200 + _UNIT_BYTES * len(units) for name, units in found)
