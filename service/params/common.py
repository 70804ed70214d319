"""What requests may hold: the parameters that the routes share, and how the OpenAPI document tells of problems."""

from typing import Annotated, Literal

from fastapi import Path, Query

from ..http.layer_paths import MAX_LAYER
from ..queries.paging import CURSOR_PATTERN
from ..schemas.neighbors import Metric

StoreName = Annotated[str, Path(max_length=300, description="as /api/v1/stores lists them")]
LayerName = Annotated[str, Path(max_length=MAX_LAYER, description="a dotted module path: features.10")]
LARGEST_NUMBER = 2**53
Number = Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]
AtlasName = Annotated[
    str,
    Path(
        max_length=MAX_LAYER + 20,
        description="an atlas of the images, such as `umap`; `units:LAYER`: the units of a layer, laid out by how "
        "their activations correlate over the dataset; `activations:LAYER`: its activations at single positions of the "
        "images, averaged over the cells of the nearest grid",
    ),
]
MOST = 1000
K = Annotated[int, Query(ge=1, le=MOST, description="how many")]
Where = Annotated[
    str | None, Query(max_length=4000, description="a filter, such as: correct = false and label = 'cat'")
]
MetricName = Annotated[Metric | None, Query(description="default: the index's")]
ImageId = Annotated[int, Query(ge=0, le=LARGEST_NUMBER)]
ItemNumber = Annotated[int, Query(ge=0, le=LARGEST_NUMBER, description="an image_id, a unit or a sample")]
Cursor = Annotated[
    str | None, Query(pattern=CURSOR_PATTERN, description="`next` of the page before; none for the first")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows of a page")]
Order = Annotated[
    Literal["asc", "desc"] | None, Query(description="default: asc for numbers and names, else desc")
]
PictureVersion = Annotated[
    str | None,
    Query(
        max_length=64,
        description="the first 12 letters of the manifest's hash: then it may be kept for good, and is refused (409) "
        "once the store has been replaced",
    ),
]


def is_descending(order: str | None) -> bool | None:
    """Read it from an `Order`; None for the default."""
    return None if order is None else order == "desc"
