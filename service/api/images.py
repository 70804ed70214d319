"""The API's images: lists of them under a filter, one of them, and its strongest units."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ...index.analysis.images import ImageSort
from ..http.openapi import TABLE
from ..http.responses import answer
from ..http.strict_params import StrictRoute
from ..params.common import MAX_LAYER, Cursor, Limit, Number, Order, StoreName, Where, is_descending
from ..queries import images as image_queries
from ..queries import stores as store_queries
from ..schemas.images import ImageAnswer, ImagesAnswer, ImageUnitsAnswer

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)


@router.get("/{store}/images", response_model=ImagesAnswer, responses=TABLE)
def list_images(
    request: Request,
    store: StoreName,
    *,
    where: Where = None,
    sort: Annotated[
        ImageSort, Query(description="equal ones by image_id, those without a value last")
    ] = "image_id",
    order: Order = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return the images that a filter keeps, a page at a time: by loss, the hardest of anything."""
    return answer(
        request,
        store,
        lambda served: image_queries.images(
            served, where=where, sort=sort, descending=is_descending(order), cursor=cursor, limit=limit
        ),
    )


@router.get("/{store}/images/{image_id}", response_model=ImageAnswer, responses=TABLE)
def one_image(request: Request, store: StoreName, image_id: Number) -> Response:
    """Return everything known of one image."""
    return answer(request, store, lambda served: store_queries.image(served, image_id))


@router.get("/{store}/images/{image_id}/units", response_model=ImageUnitsAnswer, responses=TABLE)
def image_units(
    request: Request,
    store: StoreName,
    image_id: Number,
    *,
    layer: Annotated[str | None, Query(max_length=MAX_LAYER, description="default: each")] = None,
    k: Annotated[int, Query(ge=1, le=8, description="units of a layer")] = 4,
) -> Response:
    """Return the units that an image fires most, by layer, and where in the image they do."""
    return answer(
        request, store, lambda served: image_queries.image_units(served, image_id, layer=layer, k=k)
    )
