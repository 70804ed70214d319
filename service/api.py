"""The API under /api/v1: JSON answers and the pixels they point to."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response

from ..common.errors import ImageError, ImageStatus, NotFoundError
from ..index.packs import PATCHES_PER_UNIT
from ..index.pixels import crop_jpeg, decode
from . import ask
from .answers import (
    AtlasAnswer,
    AtlasesAnswer,
    GridAnswer,
    ImageAnswer,
    LayersAnswer,
    NeighborsAnswer,
    PatchesAnswer,
    StoreAnswer,
    StoresAnswer,
    UnitAnswer,
    UnitsAnswer,
    VectorQuery,
)
from .atlas_answers import describe_atlas, grid
from .problems import Problem
from .registry import Registry, ServedStore

CROP_SIDE = 256
IMMUTABLE = "public, max-age=86400"

_PROBLEMS = {
    code: {"model": Problem, "description": "problem+json", "content": {"application/problem+json": {}}}
    for code in (404, 409, 410, 422, 503)
}
router = APIRouter(prefix="/api/v1/stores", responses=_PROBLEMS)

LayerName = Annotated[str, Path(max_length=300)]
Number = Annotated[int, Path(ge=0, le=2**62)]
K = Annotated[int, Query(ge=1, le=1000, description="how many")]
Where = Annotated[
    str | None, Query(max_length=4000, description="a filter: correct = false and label = 'cat'")
]
Metric = Annotated[str | None, Query(pattern="^(l2|cosine)$", description="default: the index's")]


def _served(request: Request, store: Annotated[str, Path(max_length=300)]) -> ServedStore:
    registry: Registry = request.app.state.registry
    return registry.get(store)


@router.get("")
def list_stores(request: Request) -> StoresAnswer:
    """The stores that this service answers from."""
    registry: Registry = request.app.state.registry
    return StoresAnswer(stores=[ask.describe(registry.get(name)) for name in registry.names()])


@router.get("/{store}")
def one_store(request: Request, store: str) -> StoreAnswer:
    """What was swept, with what."""
    return ask.describe(_served(request, store))


@router.get("/{store}/layers")
def list_layers(request: Request, store: str) -> LayersAnswer:
    """The layers, in order of execution."""
    return LayersAnswer(layers=ask.layers(_served(request, store)))


@router.get("/{store}/layers/{layer}/units")
def list_units(
    request: Request,
    store: str,
    layer: LayerName,
    cursor: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> UnitsAnswer:
    """The units of a layer with their statistics, a page at a time."""
    return ask.units(_served(request, store), layer, after=cursor, limit=limit)


@router.get("/{store}/layers/{layer}/units/{unit}")
def one_unit(request: Request, store: str, layer: LayerName, unit: Number) -> UnitAnswer:
    """One unit's statistics."""
    return ask.unit(_served(request, store), layer, unit)


@router.get("/{store}/layers/{layer}/units/{unit}/patches")
def unit_patches(
    request: Request, store: str, layer: LayerName, unit: Number, k: K = 9, where: Where = None
) -> PatchesAnswer:
    """The strongest patches of a unit, over the whole dataset or the images that a filter keeps."""
    return ask.patches(_served(request, store), layer, unit, k=k, where=where)


@router.get("/{store}/layers/{layer}/units/{unit}/patches/{rank}/picture", response_class=Response)
def patch_picture(
    request: Request,
    store: str,
    layer: LayerName,
    unit: Number,
    rank: Annotated[int, Path(ge=1, le=PATCHES_PER_UNIT)],
) -> Response:
    """The view of one of a unit's strongest patches, as it was packed after the sweep."""
    served = _served(request, store)
    data = served.store.patch(layer, unit, rank - 1)
    if data is None:
        raise NotFoundError(
            f"unit {unit} of {layer} has no patch of rank {rank}: fewer images than that are ok"
        )
    return _picture(request, served, data)


@router.get("/{store}/images/{image_id}")
def one_image(request: Request, store: str, image_id: Number) -> ImageAnswer:
    """Everything known of one image."""
    return ask.image(_served(request, store), image_id)


@router.get("/{store}/images/{image_id}/pixels", response_class=Response)
def image_pixels(request: Request, store: str, image_id: Number) -> Response:
    """The image's own file, refused where it has changed since the sweep."""
    served = _served(request, store)
    ask.check_image(served.store, image_id)
    data = served.store.pixels(image_id)
    return _picture(request, served, data, media_type=_media_type(data))


@router.get("/{store}/images/{image_id}/thumb", response_class=Response)
def image_thumb(request: Request, store: str, image_id: Number) -> Response:
    """A small JPEG of the image."""
    served = _served(request, store)
    ask.check_image(served.store, image_id)
    data = served.store.thumb(image_id)
    if data is None:
        raise NotFoundError(
            f"image {image_id} has no thumbnail: it could not be decoded; errors.parquet says why"
        )
    return _picture(request, served, data)


@router.get("/{store}/images/{image_id}/crop", response_class=Response)
def image_crop(
    request: Request,
    store: str,
    image_id: Number,
    box: Annotated[str, Query(max_length=60, description="x0,y0,x1,y1 in pixels of the image")],
    side: Annotated[int, Query(ge=8, le=1024)] = CROP_SIDE,
) -> Response:
    """A box of the image as a JPEG with its longer side `side`; the box is clipped to the image."""
    served = _served(request, store)
    ask.check_image(served.store, image_id)
    wanted = ask.parse_box(box)
    pixels = decode(served.store.pixels(image_id))
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = max(wanted[0], 0), max(wanted[1], 0), min(wanted[2], width), min(wanted[3], height)
    if x1 <= x0 or y1 <= y0:
        raise ImageError(
            ImageStatus.UNDECODABLE, f"box={box} lies outside the image, which is {width}x{height}"
        )
    return _picture(request, served, crop_jpeg(pixels, (x0, y0, x1, y1), side))


@router.get("/{store}/neighbors")
def image_neighbors(
    request: Request,
    store: str,
    image: Annotated[int, Query(ge=0, le=2**62)],
    k: K = 10,
    where: Where = None,
    metric: Metric = None,
    exact: bool = False,
) -> NeighborsAnswer:
    """The images that the model finds most like an image of the store."""
    served = _served(request, store)
    return ask.neighbors_of_image(served, image, k=k, metric=metric, where=where, exact=exact)


@router.post("/{store}/neighbors")
def vector_neighbors(request: Request, store: str, query: VectorQuery) -> NeighborsAnswer:
    """The images whose features are nearest to a vector."""
    served = _served(request, store)
    feature = np.array(query.vector, np.float32)
    return ask.neighbors(
        served, feature, k=query.k, metric=query.metric, where=query.where, exact=query.exact
    )


@router.get("/{store}/atlases")
def list_atlases(request: Request, store: str) -> AtlasesAnswer:
    """The finished atlases."""
    served = _served(request, store)
    return AtlasesAnswer(atlases=[describe_atlas(served, name) for name in served.atlases()])


@router.get("/{store}/atlases/{atlas}")
def one_atlas(request: Request, store: str, atlas: Annotated[str, Path(max_length=100)]) -> AtlasAnswer:
    """How an atlas was made, and how good it is."""
    return describe_atlas(_served(request, store), atlas)


@router.get("/{store}/atlases/{atlas}/grid")
def atlas_grid(
    request: Request,
    store: str,
    atlas: Annotated[str, Path(max_length=100)],
    row: Annotated[int, Query(ge=0, le=100_000)] = 0,
    column: Annotated[int, Query(ge=0, le=100_000)] = 0,
    rows: Annotated[int, Query(ge=1, le=256)] = 64,
    columns: Annotated[int, Query(ge=1, le=256)] = 64,
) -> GridAnswer:
    """A window of the grid: one image for each cell of the map."""
    return grid(_served(request, store), atlas, (row, row + rows), (column, column + columns))


def _picture(
    request: Request, served: ServedStore, data: bytes, *, media_type: str = "image/jpeg"
) -> Response:
    headers = {"ETag": served.etag, "Cache-Control": IMMUTABLE, "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == served.etag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _media_type(data: bytes) -> str:
    """Only types that a browser shows as pixels; anything else is offered as a file."""
    known = (
        (b"\xff\xd8", "image/jpeg"),
        (b"\x89PNG", "image/png"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
    )
    for start, kind in known:
        if data.startswith(start):
            return kind
    return "image/webp" if data[8:12] == b"WEBP" else "application/octet-stream"
