"""What requests may hold: the parameters that the routes share, and how the OpenAPI document tells of problems."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query

from ..http.layer_paths import MAX_LAYER
from ..queries.paging import CURSOR_PATTERN
from ..schemas.stores import Metric

StoreName = Annotated[str, Path(max_length=300, description="as /api/v1/stores lists them")]
LayerName = Annotated[str, Path(max_length=MAX_LAYER, description="a dotted module path: features.10")]
LARGEST_NUMBER = 2**53
Number = Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]
AtlasName = Annotated[str, Path(max_length=100)]
MOST = 1000
K = Annotated[int, Query(ge=1, le=MOST, description="how many")]
Where = Annotated[
    str | None, Query(max_length=4000, description="a filter, such as: correct = false and label = 'cat'")
]
MetricName = Annotated[Metric | None, Query(description="default: the index's")]
ImageId = Annotated[int, Query(ge=0, le=LARGEST_NUMBER)]
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
    """Of an `Order`; None for the default."""
    return None if order is None else order == "desc"


_WORDS = {
    400: "the request's body is no JSON",
    403: "the request names another host",
    404: "no such store, layer, unit, image, index or atlas",
    409: "the store cannot answer, or the image has changed since the sweep",
    410: "the image, or its dataset, is not there any more",
    413: "the request's body is too large",
    422: "a parameter is out of its range, or the filter cannot be read",
    503: "the store cannot be read now, or is damaged",
}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The problem+json answers of a route, for the OpenAPI document."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": _WORDS[code], "content": content} for code in codes}


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "what If-None-Match names is still right"}
}
TABLE = problems(403, 404, 409, 422, 503) | NOT_MODIFIED


def pictures(
    *kinds: str, codes: tuple[int, ...] = (403, 404, 409, 422, 503)
) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that gives pixels."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    found = {200: {"description": "the picture", "content": dict.fromkeys(kinds, schema)}}
    return found | problems(*codes) | NOT_MODIFIED
