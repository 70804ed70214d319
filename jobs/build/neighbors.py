"""The nearest neighbours of an image of a store, or of any image file: the `neighbors` command."""

from dataclasses import dataclass

import numpy as np

from ...common.errors import NotBuiltError, UsageError
from ...index.neighbors.exact import Metric, Vectors
from ...index.neighbors.exact import nearest as nearest_exactly
from ...index.neighbors.index import NeighborIndex
from ...index.store.store import Store
from .query_feature import feature_of_file


@dataclass(frozen=True)
class Neighbors:
    """image_ids, nearest first; distances beside them (L2, or 1 - cosine). exact: every image was compared."""

    image_ids: tuple[int, ...]
    distances: tuple[float, ...]
    exact: bool


def neighbors(
    store: Store,
    image: int | str,
    *,
    k: int = 10,
    metric: Metric = "l2",
    where: str | None = None,
    exact: bool = False,
) -> Neighbors:
    """Return the k images nearest to `image`, an image_id or a file, which gets its feature in a process of its own.

    An image of the store is left out of its own answer. Without an index every image is compared.
    Raises UsageError, FilterError.
    """
    query, own = _query(store, image)
    allowed = None if where is None else store.mask(where)
    try:
        ann = None if exact else NeighborIndex.open(store.folder, store=store.manifest.hash)
    except NotBuiltError:
        ann = None
    if ann is None:
        among = None if allowed is None else np.flatnonzero(allowed)
        found = nearest_exactly(
            read_vectors(store), query, k, metric=metric, among=among, exclude=np.array([own], np.int64)
        )
    else:
        found = ann.search(query, k, metric=metric, exclude=np.array([own], np.int64), allowed=allowed)
    distances, ids = found[0][0], found[1][0]
    known = ids >= 0
    is_exact = ann is None or ann.index is None or ann.metric != metric
    return Neighbors(tuple(ids[known].tolist()), tuple(distances[known].tolist()), is_exact)


def _query(store: Store, image: int | str) -> tuple[np.ndarray, int]:
    """Return the feature (1, width) float32, and the image's own id or -1."""
    if isinstance(image, int):
        feature = store.feature(image)
        if not np.isfinite(feature).all():
            raise UsageError(f"the feature of image {image} is not finite, so it has no neighbours")
        return feature[None], image
    return feature_of_file(store, image)[None], -1


def read_vectors(store: Store) -> Vectors:
    """Return all features of a store, in memory."""
    reader = store.features
    features = np.zeros((reader.images, reader.width), np.float32)
    valid = np.zeros(reader.images, bool)
    for block in reader.blocks():
        rows = slice(block.first, block.first + len(block.values))
        features[rows] = np.where(block.valid[:, None], block.values, 0)
        valid[rows] = block.valid
    return Vectors.of(features, valid)
