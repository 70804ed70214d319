"""Lists of images: those that a filter keeps, by id, loss or probability."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from ..stats.distribution import strongest_first
from ..storage.once import OnceCache
from ..store.store import Store
from .images import ImageColumns

ImageSort = Literal["image_id", "loss", "probability"]


class ImageOrder:
    """The images of one store. Any threads may share it."""

    def __init__(self, store: Store, cache: OnceCache, images: Callable[[], ImageColumns]) -> None:
        self._store, self._cache, self._images = store, cache, images

    def ids(self, where: str | None, sort: ImageSort, *, descending: bool) -> np.ndarray:
        """Return (n,) int64: the images that a filter keeps, failed ones too. Raises FilterError.

        Those without a value stand last; equal ones by image_id.
        """
        kept = self._store.parse_filter(where) if where else None
        key = ("images", kept and kept.canonical, sort, descending)

        def make() -> np.ndarray:
            mask = np.ones(self._store.images_count, bool) if kept is None else self._store.mask(kept)
            found = np.flatnonzero(mask)
            if sort == "image_id":
                return found[::-1] if descending else found
            values = getattr(self._images(), sort)[found]
            return found[strongest_first(values if descending else -values)]

        return self._cache.get(key, make, lambda ids: ids.nbytes)
