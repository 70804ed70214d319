"""Neighbours of an image or a vector, for both the API and the pages."""

import numpy as np

from ...common.errors import UsageError
from ...index.ann import Ann
from ...index.pixel_features import pixel_feature
from ..addresses import thumb_address
from ..answers.stores import Metric, NeighborsAnswer, Space
from ..http.observe import searched
from ..registry import ServedStore
from .ask import check_image, said, shown

_SHOWN = ("uri", "label", "label_index", "predicted", "probability")
_MEASURED = 10
"""The index is measured on this many nearest images; other k are measured when it is tuned."""


def neighbors_of_image(
    served: ServedStore,
    ann: Ann,
    image_id: int,
    *,
    k: int,
    metric: Metric | None,
    where: str | None,
    exact: bool,
) -> NeighborsAnswer:
    """The images nearest to an image, itself left out. Raises NotFoundError, and UsageError for one that failed."""
    check_image(served.store, image_id)
    vectors = ann.vectors  # the features again, mapped: no row group is read for one of them
    feature = vectors.features[image_id] if vectors.valid[image_id] else served.store.feature(image_id)
    return neighbors(served, ann, feature, k=k, metric=metric, where=where, exact=exact, image_id=image_id)


def neighbors_in_pixels(
    served: ServedStore,
    ann: Ann,
    image_id: int,
    *,
    k: int,
    metric: Metric | None,
    where: str | None,
    exact: bool,
) -> NeighborsAnswer:
    """As `neighbors_of_image`, by the pixels of the thumbnails. ann: of `ServedStore.pixels`."""
    check_image(served.store, image_id)
    thumb = served.store.thumb(image_id)
    if thumb is None:
        raise UsageError(f"image {image_id} has no pixels: it could not be decoded")
    return neighbors(
        served,
        ann,
        pixel_feature(thumb),
        k=k,
        metric=metric,
        where=where,
        exact=exact,
        image_id=image_id,
        space="pixels",
    )


def neighbors(
    served: ServedStore,
    ann: Ann,
    feature: np.ndarray,
    *,
    k: int,
    metric: Metric | None,
    where: str | None,
    exact: bool,
    image_id: int | None = None,
    space: Space = "features",
) -> NeighborsAnswer:
    """The images nearest to a feature (width,) float32, `image_id` left out. Raises UsageError, FilterError."""
    store = served.store
    width = ann.vectors.features.shape[1]
    if len(feature) != width:
        raise UsageError(f"the vector has {len(feature):,} numbers; a feature of {served.name} has {width:,}")
    allowed = store.mask(where) if where else None
    exact = exact or ann.is_exact(k, metric=metric, allowed=allowed)
    own = -1 if image_id is None else image_id
    distances, ids = ann.search(
        feature[None], k, exact=exact, exclude=np.array([own], np.int64), allowed=allowed, metric=metric
    )
    searched(exact=exact)
    kept = ids[0] >= 0
    found = ids[0][kept].tolist()
    rows = store.images_at(found, _SHOWN)
    answers = [
        {
            "rank": rank,
            "distance": distance,
            "image_id": neighbor,
            **shown(store, row),
            "thumb": thumb_address(served, neighbor),
        }
        for rank, (distance, neighbor, row) in enumerate(
            zip(distances[0][kept].tolist(), found, rows, strict=True), start=1
        )
    ]
    recall, recall_of = (None, None) if exact else _recall(ann, k)
    return NeighborsAnswer.model_validate(  # at once: each model that is made by itself takes as long as ten in one
        {
            **said(served),
            "space": space,
            "metric": metric or ann.metric,
            "exact": exact,
            "recall": recall,
            "recall_of": recall_of,
            "where": where or None,
            "image_id": image_id,
            "neighbors": answers,
        }
    )


def _recall(ann: Ann, k: int) -> tuple[float | None, int | None]:
    """The recall measured when the index was built, and of how many nearest."""
    measured = ann.manifest.get("recall_at_10")
    if k <= _MEASURED and isinstance(measured, int | float):
        return float(measured), _MEASURED
    point = next(point for point in ann.points if point.k >= k)
    return point.recall, point.k
