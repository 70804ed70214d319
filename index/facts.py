"""`Facts`: what is computed from a finished store when it is first asked for, within a bounded number of bytes."""

from .class_facts import ClassFacts
from .image_columns import ImageColumns
from .image_order import ImageOrder
from .image_units import ImageUnits
from .once import OnceCache
from .similar_units import SimilarUnits
from .store import Store
from .unit_facts import UnitFacts

_BYTES = 192 << 20


class Facts:
    """The facts about one store. Any threads may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache = OnceCache(_BYTES)
        self.units = UnitFacts(store, self._cache, self.images)
        self.similar = SimilarUnits(store, self._cache, self.images)
        self.classes = ClassFacts(store, self._cache, self.images, self.units)
        self.image_units = ImageUnits(store)
        self.order = ImageOrder(store, self._cache, self.images)

    @property
    def reads(self) -> tuple[int, int]:
        """How often what was wanted was in memory, and how often not."""
        return self._cache.reads

    def images(self) -> ImageColumns:
        """Labels, predictions and losses of all images, as arrays."""
        return self._cache.get("columns", lambda: ImageColumns.read(self._store), lambda read: read.bytes)
