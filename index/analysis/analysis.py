"""`Analysis`: what is computed from a finished store when it is first asked for, within a bounded number of bytes."""

import numpy as np

from ..caching.once import OnceCache
from ..store.store import Store
from .classes import ClassAnalysis
from .image_units import ImageUnits
from .images import ImageColumns, ImageOrder, counterparts
from .similar_units import SimilarUnits
from .units import UnitAnalysis

_BYTES = 192 << 20


class Analysis:
    """The facts about one store. Any threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache = OnceCache(_BYTES)
        self.units = UnitAnalysis(store, self._cache, self.images)
        self.similar = SimilarUnits(store, self._cache, self.images)
        self.classes = ClassAnalysis(store, self._cache, self.images, self.units)
        self.image_units = ImageUnits(store, self._cache)
        self.order = ImageOrder(store, self._cache, self.images)

    @property
    def reads(self) -> tuple[int, int]:
        """How often what was wanted was in memory, and how often not."""
        return self._cache.reads

    def counterparts(self, other: Store) -> np.ndarray:
        """Return (images,) int64: the image_id that each image has in another store, by its uri; -1 where it has
        none.
        """
        key = ("counterparts", other.manifest.hash)
        return self._cache.get(key, lambda: counterparts(self._store, other), lambda ids: ids.nbytes)

    def images(self) -> ImageColumns:
        """Return labels, predictions and losses of all images, as arrays."""
        return self._cache.get("columns", lambda: ImageColumns.read(self._store), lambda read: read.bytes)
