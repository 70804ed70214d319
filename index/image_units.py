"""The units that one image fires most, where it does, and how many images fire them more."""

from typing import NamedTuple

import numpy as np

from ..common.errors import StoreError
from .store import Store
from .summary_reader import StrongUnit
from .unit_reader import Patch

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

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, image_id: int, *, layer: str | None, k: int) -> list[tuple[str, list[ImageUnit]]]:
        """Of one layer or of each, the k units with the largest scores; none of an image that failed.

        Raises LayerError, UsageError for an id that is none, and StoreError for a store that does not keep them.
        """
        wanted = None if layer is None else self._store.layer(layer).layer
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
        return [(name, self._units(name, image_id, units, reads <= RANK_BYTES)) for name, units in found]

    def _units(self, layer: str, image_id: int, units: list[StrongUnit], ranked: bool) -> list[ImageUnit]:
        patches = self._store.patches_in(layer, [unit.unit for unit in units], image_id)
        rank = self._rank if ranked else self._stored_rank
        return [
            ImageUnit(unit.unit, unit.score, rank(unit, patch), patch)
            for unit, patch in zip(units, patches, strict=True)
        ]

    def _rank(self, unit: StrongUnit, patch: Patch) -> int:
        return 1 + int(np.count_nonzero(self._store.maxima(unit.layer, unit.unit) > np.float32(patch.value)))

    def _stored_rank(self, unit: StrongUnit, patch: Patch) -> int | None:
        """The rank, where the stored strongest patches tell it."""
        stored = [one.value for one in self._store.unit(unit.layer, unit.unit).top]
        if not stored or patch.value < stored[-1]:
            return None
        return 1 + sum(value > patch.value for value in stored)
