"""Which image of one store is which of another: the same uri."""

from typing import Any

import numpy as np
import pyarrow.compute

from ..store.store import Store

pc: Any = pyarrow.compute  # its functions are made at import, where no type checker sees them


def counterparts(store: Store, other: Store) -> np.ndarray:
    """Return (images,) int64: the image_id in `other` of each image of `store`; -1 where it has none."""
    uris = other.images(["uri"])["uri"].combine_chunks()
    found = pc.index_in(store.images(["uri"])["uri"], value_set=uris)
    return found.fill_null(-1).to_numpy().astype(np.int64)
