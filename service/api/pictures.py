"""The API's pictures: what the JSON answers point to."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from ...index.storage.packs import PATCHES_PER_UNIT
from ..http.openapi import pictures as picture_responses
from ..http.responses import picture
from ..http.strict_params import StrictRoute
from ..params.common import LayerName, Number, PictureVersion, StoreName
from ..queries import pixels as pictures
from ..stores.urls import BOX_PATTERN, parse_box

CROP_SIDE = 256
_FROM_DATASET = (403, 404, 409, 410, 422, 503)
_OWN = ("image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp", "application/octet-stream")

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute, default_response_class=Response)


@router.get(
    "/{store}/layers/{layer:layer}/units/{unit}/patches/{rank}/picture",
    responses=picture_responses("image/jpeg"),
)
def patch_picture(
    request: Request,
    store: StoreName,
    layer: LayerName,
    unit: Number,
    *,
    rank: Annotated[int, Path(ge=1, le=PATCHES_PER_UNIT)],
    v: PictureVersion = None,
) -> Response:
    """Return the view of one of a unit's strongest patches, as it was packed after the sweep."""
    return picture(request, store, lambda served: pictures.packed_patch(served, layer, unit, rank))


@router.get("/{store}/images/{image_id}/pixels", responses=picture_responses(*_OWN, codes=_FROM_DATASET))
def image_pixels(request: Request, store: StoreName, image_id: Number, v: PictureVersion = None) -> Response:
    """Return the image's own file, refused where it has changed since the sweep."""
    return picture(request, store, lambda served: pictures.own_file(served, image_id))


@router.get("/{store}/images/{image_id}/thumb", responses=picture_responses("image/jpeg"))
def image_thumb(request: Request, store: StoreName, image_id: Number, v: PictureVersion = None) -> Response:
    """Return a small JPEG of the image; needs no dataset."""
    return picture(request, store, lambda served: pictures.thumb(served, image_id))


@router.get(
    "/{store}/images/{image_id}/crop",
    responses=picture_responses("image/jpeg", "image/png", codes=_FROM_DATASET),
)
def image_crop(
    request: Request,
    store: StoreName,
    image_id: Number,
    *,
    box: Annotated[str, Query(pattern=BOX_PATTERN, description="x0,y0,x1,y1 in pixels of the image")],
    side: Annotated[
        int, Query(ge=8, le=2048, description="the longer side at most; never enlarged")
    ] = CROP_SIDE,
    v: PictureVersion = None,
) -> Response:
    """Return a box of the image, clipped to it: a PNG where it is small, else a JPEG."""
    wanted = parse_box(box)
    return picture(request, store, lambda served: pictures.crop(served, image_id, wanted, side))
