"""What the API answers about neighbors, and the vector that it is asked about."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from .base import FromStore, SizedImage, Table

LARGEST = 1e36
"""Of a number in a vector: the distances of the widest vectors of such numbers still fit into float32."""


Metric = Literal["l2", "cosine"]


Space = Literal["features", "pixels"]


How = Literal["exact", "index", "graph", "wide"]
"""As in `index/neighbors/index.py`, which the clients do not need."""


class NeighborAnswer(SizedImage):
    """One neighbour. rank: from 1."""

    rank: int
    distance: float


class NeighborsAnswer(FromStore, Table):
    """Nearest first; equal distances by image_id. metric: `l2` (not squared) or `cosine` (1 - cosine).

    The distances are exact in any case. Where `exact` is false, some of the nearest may be missing: `recall` is the
    share of the true `recall_of` nearest that was found when the index was built, without a filter; null where the
    neighbours are farther away than any that it was built with.
    """

    ROWS = "neighbors"

    space: Space = Field(
        "features", description="`pixels`: the thumbnails at 12 x 12 pixels, which no model has seen"
    )
    metric: str
    exact: bool
    search: How = Field(
        description="`exact`: every image was compared; `index`: the lists nearest to the query; `graph`: so for "
        "every image, when the index was built; `wide`: all lists and more candidates, because the neighbours are "
        "farther away than any that the index was tuned on"
    )
    recall: float | None
    recall_of: int | None
    where: str | None
    image_id: int | None = Field(description="the image asked about, which is left out; null for a vector")
    neighbors: list[NeighborAnswer]


class VectorQuery(BaseModel):
    """Neighbours of a vector: a feature that you have."""

    vector: list[Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]] = Field(
        min_length=1, max_length=65_536, description="as wide as the store's features"
    )
    k: int = Field(10, ge=1, le=1000)
    metric: Metric | None = Field(None, description="default: the index's")
    where: str | None = Field(None, max_length=4000)
    exact: bool = False
