"""Neighbours of an image or a vector, for both the API and the pages."""

from dataclasses import dataclass

import numpy as np

from ...common.errors import StoreDamagedError, UsageError
from ...index.neighbors.index import Found, NeighborIndex
from ...index.neighbors.pixel_space import pixel_feature
from ..schemas.neighbors import Metric, NeighborsAnswer, Space
from ..schemas.unvalidated import Unvalidated
from ..stores.neighbors import Neighbors
from ..stores.registry import ServedStore
from ..telemetry import searched
from .image_cards import Shown, shown
from .stores import check_image, provenance_of

_MEASURED = 10
"""The index is measured on this many nearest images; other k are measured when it is tuned."""


@dataclass(frozen=True)
class Search:
    """How neighbours are looked for."""

    k: int = 10
    metric: Metric | None = None
    where: str | None = None
    exact: bool = False


def neighbors_of_image(
    served: ServedStore, near: Neighbors, image_id: int, search: Search
) -> Unvalidated[NeighborsAnswer]:
    """Return the images nearest to an image, itself left out. Raises NotFoundError, and UsageError for one that
    failed.
    """
    check_image(served.store, image_id)
    vectors = near.ann.vectors  # the features again: no row group is read for one of them
    if not vectors.valid[image_id]:
        return neighbors(served, near.ann, served.store.feature(image_id), search, image_id=image_id)
    found = _known(near, image_id, search)
    if found is None:
        return neighbors(served, near.ann, vectors.features[image_id], search, image_id=image_id)
    images = shown(served, _ids(found))
    return _draft(served, near, search, found, images, image_id=image_id, space="features")


def neighbors_in_pixels(
    served: ServedStore, ann: NeighborIndex, image_id: int, search: Search
) -> Unvalidated[NeighborsAnswer]:
    """Do the same as `neighbors_of_image`, by the pixels of the thumbnails. ann: of `ServedStore.pixels`."""
    check_image(served.store, image_id)
    thumb = served.store.thumb(image_id)
    if thumb is None:
        raise UsageError(f"image {image_id} has no pixels: it could not be decoded")
    return neighbors(served, ann, pixel_feature(thumb), search, image_id=image_id, space="pixels")


def neighbors(
    served: ServedStore,
    ann: NeighborIndex,
    feature: np.ndarray,
    search: Search,
    *,
    image_id: int | None = None,
    space: Space = "features",
) -> Unvalidated[NeighborsAnswer]:
    """Return the images nearest to a feature (width,) float32, `image_id` left out. Raises UsageError, FilterError."""
    store = served.store
    width = ann.vectors.features.shape[1]
    if len(feature) != width:
        raise UsageError(f"the vector has {len(feature):,} numbers; a feature of {served.name} has {width:,}")
    allowed = store.mask(search.where) if search.where else None
    own = -1 if image_id is None else image_id
    found = ann.find(
        feature, search.k, exact=search.exact, exclude=own, allowed=allowed, metric=search.metric
    )
    images = shown(served, _ids(found))
    return _draft(served, Neighbors(ann, None), search, found, images, image_id=image_id, space=space)


def _known(near: Neighbors, image_id: int, search: Search) -> Found | None:
    """Return what the graph knows of an image that has a feature; None where that is not what is asked."""
    plain = not search.where and not search.exact and search.metric in (None, near.ann.metric)
    if not plain or near.graph is None:
        return None
    try:
        return near.graph.find(image_id, search.k)
    except StoreDamagedError:
        return None  # the graph was changed while it was open: the index is searched


def _ids(found: Found) -> list[int]:
    return [image for image in found.ids.tolist() if image >= 0]


def _draft(
    served: ServedStore,
    near: Neighbors,
    search: Search,
    found: Found,
    images: list[Shown],
    *,
    image_id: int | None,
    space: Space,
) -> Unvalidated[NeighborsAnswer]:
    searched(exact=found.how == "exact")
    ranked = enumerate(zip(images, found.distances.tolist(), strict=False), start=1)
    recall, recall_of = _recall(near, search.k, found)
    fields = {
        **provenance_of(served),
        "space": space,
        "metric": search.metric or near.ann.metric,
        "exact": found.how == "exact",
        "search": found.how,
        "recall": recall,
        "recall_of": recall_of,
        "where": search.where or None,
        "image_id": image_id,
        "neighbors": [
            {
                **image.facts,
                "width": image.width,
                "height": image.height,
                "rank": rank,
                "distance": distance,
            }
            for rank, (image, distance) in ranked
        ],
    }
    return Unvalidated(NeighborsAnswer, fields)


def _recall(near: Neighbors, k: int, found: Found) -> tuple[float | None, int | None]:
    """Return the recall measured when the index was built, and of how many nearest."""
    if found.how == "graph" and near.graph is not None:
        return near.graph.recall, near.graph.k
    if found.how != "index":
        return None, None
    measured = near.ann.manifest.get("recall_at_10")
    if k <= _MEASURED and isinstance(measured, int | float):
        return float(measured), _MEASURED
    point = next(point for point in near.ann.points if point.k >= k)
    return point.recall, point.k
