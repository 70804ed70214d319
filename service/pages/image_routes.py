"""The addresses of the pages of images: one image, lists of them, classes, neighbours."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from ...index.analysis.classes import ClassSort
from ...index.analysis.images import ImageSort
from ..http.responses import consistent
from ..params.common import Cursor, Number, Order, StoreName, is_descending
from ..params.live import Posted
from ..stores.urls import parse_box
from . import classes as views_classes
from . import images as views_images
from . import neighbors as views_neighbors
from .rendering.page_params import EMPTY, BoxText, HowMany, Name, Pixel, Start, UnitNumber, Where
from .rendering.strict_params import StrictPage
from .rendering.urls import neighbors_url

router = APIRouter(include_in_schema=False, default_response_class=Response, route_class=StrictPage)


@router.get("/stores/{store}/images")
def images_page(
    request: Request,
    store: StoreName,
    *,
    where: Where = None,
    sort: ImageSort = "image_id",
    order: Annotated[Order, EMPTY] = None,
    start: Start = 0,
) -> Response:
    """Return the images that a filter keeps: by loss, the hardest of anything."""
    asked = {
        "where": where,
        "sort": None if sort == "image_id" else sort,
        "order": order,
        "start": start or None,
    }
    descending = is_descending(order)
    return consistent(
        request,
        store,
        lambda served: views_images.images(
            request, served, where=where, sort=sort, descending=descending, start=start, asked=asked
        ),
    )


@router.get("/stores/{store}/images/{image_id}")
def image_page(
    request: Request,
    store: StoreName,
    image_id: Number,
    maps: Name = None,
    unit: UnitNumber = None,
) -> Response:
    """Return everything known of an image."""
    return consistent(
        request,
        store,
        lambda served: views_images.image(request, served, image_id, layer=maps, unit=unit),
    )


@router.get("/stores/{store}/classes")
def classes_page(
    request: Request,
    store: StoreName,
    *,
    sort: ClassSort = "accuracy",
    order: Annotated[Order, EMPTY] = None,
    cursor: Cursor = None,
) -> Response:
    """Return how well each class is recognised, the weakest first."""
    asked = {"sort": None if sort == "accuracy" else sort, "order": order}
    descending = is_descending(order)
    return consistent(
        request,
        store,
        lambda served: views_classes.classes(
            request, served, sort=sort, descending=descending, cursor=cursor, asked=asked
        ),
    )


@router.get("/stores/{store}/classes/{label:label}")
def class_page(
    request: Request,
    store: StoreName,
    label: Annotated[str, Path(max_length=1000)],
    *,
    typical: bool = False,
) -> Response:
    """Return one class."""
    return consistent(
        request, store, lambda served: views_classes.one_class(request, served, label, typical=typical)
    )


@router.get("/stores/{store}/class")
def class_of_label_page(
    request: Request,
    store: StoreName,
    label: Annotated[str, Query(max_length=1000)],
    *,
    typical: bool = False,
) -> Response:
    """Return the same, of a label that no path can end with."""
    return class_page(request, store, label, typical=typical)


@router.get("/stores/{store}/neighbors")
def neighbors_page(
    request: Request,
    store: StoreName,
    *,
    image: Annotated[int, Query(ge=0, le=2**53)] = 0,
    box: BoxText = None,
    x0: Pixel = None,
    y0: Pixel = None,
    x1: Pixel = None,
    y1: Pixel = None,
    where: Where = None,
    k: HowMany = views_neighbors.NEIGHBORS,
) -> Response:
    """Return what does the model find like this image, or like a region of it?"""
    edges = (x0, y0, x1, y1)
    if all(edge is not None for edge in edges):  # from a form: one address for one view
        return RedirectResponse(
            neighbors_url(store, image=image, box=",".join(map(str, edges)), where=where), 303
        )
    wanted = parse_box(box) if box else None
    return consistent(
        request,
        store,
        lambda served: views_neighbors.of_image(request, served, image, box=wanted, k=k, where=where),
    )


@router.post("/stores/{store}/neighbors")
def upload_page(request: Request, store: StoreName, data: Posted, where: Where = None) -> Response:
    """Return what does the model find like an image of one's own? The image is not kept."""
    return consistent(request, store, lambda served: views_neighbors.of_upload(request, served, data, where))
