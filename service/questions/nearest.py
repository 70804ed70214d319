"""Neighbours of an image or a vector, for both the API and the pages."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.errors import UsageError
from ...index.ann import Ann, Found
from ...index.pixel_features import pixel_feature
from ..answers.draft import Draft
from ..answers.stores import Metric, NeighborsAnswer, Space
from ..http.observe import searched
from ..registry import ServedStore
from .ask import IMAGE_COLUMNS, check_image, image_facts, said

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
    served: ServedStore, ann: Ann, image_id: int, search: Search
) -> Draft[NeighborsAnswer]:
    """The images nearest to an image, itself left out. Raises NotFoundError, and UsageError for one that failed."""
    check_image(served.store, image_id)
    vectors = ann.vectors  # the features again, mapped: no row group is read for one of them
    feature = vectors.features[image_id] if vectors.valid[image_id] else served.store.feature(image_id)
    return neighbors(served, ann, feature, search, image_id=image_id)


def neighbors_in_pixels(
    served: ServedStore, ann: Ann, image_id: int, search: Search
) -> Draft[NeighborsAnswer]:
    """As `neighbors_of_image`, by the pixels of the thumbnails. ann: of `ServedStore.pixels`."""
    check_image(served.store, image_id)
    thumb = served.store.thumb(image_id)
    if thumb is None:
        raise UsageError(f"image {image_id} has no pixels: it could not be decoded")
    return neighbors(served, ann, pixel_feature(thumb), search, image_id=image_id, space="pixels")


def neighbors(
    served: ServedStore,
    ann: Ann,
    feature: np.ndarray,
    search: Search,
    *,
    image_id: int | None = None,
    space: Space = "features",
) -> Draft[NeighborsAnswer]:
    """The images nearest to a feature (width,) float32, `image_id` left out. Raises UsageError, FilterError."""
    store = served.store
    width = ann.vectors.features.shape[1]
    if len(feature) != width:
        raise UsageError(f"the vector has {len(feature):,} numbers; a feature of {served.name} has {width:,}")
    allowed = store.mask(search.where) if search.where else None
    own = -1 if image_id is None else image_id
    found = ann.find(
        feature, search.k, exact=search.exact, exclude=own, allowed=allowed, metric=search.metric
    )
    rows = store.images_at(_near(found), IMAGE_COLUMNS)
    return _draft(served, ann, search, found, rows, image_id=image_id, space=space)


def neighbors_at_hand(served: ServedStore, ann: Ann, image_id: int, k: int) -> Draft[NeighborsAnswer] | None:
    """As `neighbors_of_image`; None where that takes long, where something would have to be read, and for no image."""
    vectors = ann.vectors
    if not (0 <= image_id < served.store.images_count and vectors.valid[image_id]):
        return None
    found = ann.find_within_reach(vectors.features[image_id], k, exclude=image_id)
    rows = None if found is None else served.store.images_at_hand(_near(found), IMAGE_COLUMNS)
    if found is None or rows is None:
        return None
    return _draft(served, ann, Search(k), found, rows, image_id=image_id, space="features")


def _near(found: Found) -> list[int]:
    return found.ids[found.ids >= 0].tolist()


def _draft(
    served: ServedStore,
    ann: Ann,
    search: Search,
    found: Found,
    rows: list[dict[str, Any]],
    *,
    image_id: int | None,
    space: Space,
) -> Draft[NeighborsAnswer]:
    searched(exact=found.how == "exact")
    ranked = enumerate(zip(rows, found.distances.tolist(), strict=False), start=1)
    recall, recall_of = _recall(ann, search.k) if found.how == "index" else (None, None)
    fields = {
        **said(served),
        "space": space,
        "metric": search.metric or ann.metric,
        "exact": found.how == "exact",
        "search": found.how,
        "recall": recall,
        "recall_of": recall_of,
        "where": search.where or None,
        "image_id": image_id,
        "neighbors": [
            {**image_facts(served, row), "rank": rank, "distance": distance}
            for rank, (row, distance) in ranked
        ],
    }
    return Draft(NeighborsAnswer, fields)


def _recall(ann: Ann, k: int) -> tuple[float | None, int | None]:
    """The recall measured when the index was built, and of how many nearest."""
    measured = ann.manifest.get("recall_at_10")
    if k <= _MEASURED and isinstance(measured, int | float):
        return float(measured), _MEASURED
    point = next(point for point in ann.points if point.k >= k)
    return point.recall, point.k
