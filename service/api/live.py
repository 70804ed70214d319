"""The API's live part: activation maps, filters, neighbours of uploads and of regions, webcam frames.

All of it asks the model worker; when that cannot answer, these requests get a 503 problem and no others do.
"""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ...index.neighbors.index import NeighborIndex
from ..http.openapi import TABLE, problems
from ..http.openapi import pictures as picture_responses
from ..http.responses import answer, answer_from, answer_now, consistent, picture
from ..http.strict_params import StrictRoute
from ..live.supervisor import LiveModel
from ..params.common import MAX_LAYER, LayerName, Number, PictureVersion, StoreName
from ..params.live import (
    IMAGE_BODY,
    BoxText,
    LiveAfter,
    LiveHere,
    Posted,
    ScaleChoice,
    UnitChoice,
    View,
    Wanted,
    Zoom,
)
from ..queries import kernels as live_filters
from ..queries.live import Live, MapView
from ..schemas.live import (
    FRAME_HEADER,
    FiltersAnswer,
    FilterScale,
    LiveAnswer,
    MapsAnswer,
    RegionNeighborsAnswer,
    UploadNeighborsAnswer,
)
from ..stores.registry import ServedStore
from ..stores.urls import parse_box

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)
_FROM_DATASET = (403, 404, 409, 410, 422, 503)
_POSTED = (400, 403, 404, 409, 413, 422, 503)


@router.get("/{store}/live", response_model=LiveAnswer, responses=TABLE)
def live_status(request: Request, store: StoreName) -> Response:
    """Return how the model worker is; asking does not start it."""
    model: LiveModel = request.app.state.live
    consistent(request, store, lambda served: served)
    facts = {name: value for name, value in vars(model.status()).items() if name in LiveAnswer.model_fields}
    return answer_now(request, LiveAnswer(**facts))


@router.get(
    "/{store}/images/{image_id}/maps/{layer:layer}",
    responses=picture_responses("image/png", codes=_FROM_DATASET),
    response_class=Response,
)
def activation_maps(
    request: Request,
    store: StoreName,
    image_id: Number,
    layer: LayerName,
    *,
    shown: View,
    live: LiveHere,
    v: PictureVersion = None,
) -> Response:
    """Return the activation maps of an image: a mosaic of every unit's, or of one unit's, coloured, over the model's
    input.
    """
    return picture(request, store, lambda served: live.maps(served, image_id, shown.of(layer)))


@router.get("/{store}/images/{image_id}/maps/{layer:layer}/facts", response_model=MapsAnswer, responses=TABLE)
def activation_map_facts(
    request: Request,
    store: StoreName,
    image_id: Number,
    layer: LayerName,
    *,
    scale: ScaleChoice = None,
    zoom: Zoom = 1,
) -> Response:
    """Return how the mosaic of an image's maps is laid out, and where the model's input lies in the image. Needs no
    model.
    """
    view = MapView(layer, scale=scale, zoom=zoom)
    live = Live(request.app.state.live)
    return answer(request, store, lambda served: live.describe_maps(served, image_id, view))


@router.get(
    "/{store}/images/{image_id}/maps/{layer:layer}/array",
    responses=picture_responses("application/octet-stream", codes=_FROM_DATASET),
    response_class=Response,
)
def activation_map_array(
    request: Request,
    store: StoreName,
    image_id: Number,
    layer: LayerName,
    *,
    live: LiveHere,
    unit: UnitChoice = None,
    v: PictureVersion = None,
) -> Response:
    """Return the maps' values as a NumPy file: (units, height, width) float32, or (height, width) of one unit."""
    return picture(request, store, lambda served: live.array(served, image_id, layer, unit))


@router.get(
    "/{store}/images/{image_id}/neighbors-of-region",
    response_model=RegionNeighborsAnswer,
    responses=problems(403, 404, 409, 410, 422, 503) | TABLE,
)
def region_neighbors(
    request: Request, store: StoreName, image_id: Number, *, box: BoxText, search: Wanted, live: LiveHere
) -> Response:
    """Return the images that the model finds most like a box of an image; the image itself is left out."""
    wanted = parse_box(box)

    def make(served: ServedStore, ann: NeighborIndex) -> RegionNeighborsAnswer:
        return live.neighbors_of_region(served, ann, image_id, wanted, search)

    return answer_from(request, store, ServedStore.ann, make)


@router.post(
    "/{store}/neighbors/upload",
    response_model=UploadNeighborsAnswer,
    responses=problems(*_POSTED),
    openapi_extra=IMAGE_BODY,
)
def upload_neighbors(
    request: Request, store: StoreName, data: Posted, *, search: Wanted, live: LiveAfter
) -> Response:
    """Return the images that the model finds most like an image of your own, and what it takes that image for."""

    def make(served: ServedStore, ann: NeighborIndex) -> UploadNeighborsAnswer:
        return live.neighbors_of_upload(served, ann, data, search)

    response = answer_from(request, store, ServedStore.ann, make)
    del response.headers["ETag"]  # the address does not name the image
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post(
    "/{store}/live/maps",
    responses={
        code: told for code, told in picture_responses("image/png", codes=_POSTED).items() if code != 304
    },
    openapi_extra=IMAGE_BODY,
    response_class=Response,
)
def frame_maps(
    request: Request,
    store: StoreName,
    data: Posted,
    *,
    layer: Annotated[str, Query(max_length=MAX_LAYER, description="a dotted module path: features.10")],
    shown: View,
    live: LiveAfter,
) -> Response:
    """Return the activation maps of a frame of a webcam, as a picture.

    The header `Unitscope-Live` holds JSON: the prediction and where the cells are.
    """
    found, facts = consistent(request, store, lambda served: live.frame(served, data, shown.of(layer)))
    return Response(
        found,
        media_type="image/png",
        headers={"Cache-Control": "no-store", FRAME_HEADER: json.dumps(facts.model_dump(mode="json"))},
    )


@router.get(
    "/{store}/layers/{layer:layer}/filters", responses=picture_responses("image/png"), response_class=Response
)
def layer_filters(
    request: Request,
    store: StoreName,
    layer: LayerName,
    *,
    live: LiveHere,
    unit: UnitChoice = None,
    scale: FilterScale = "filter",
    zoom: Annotated[Zoom | None, Query()] = None,
    v: PictureVersion = None,
) -> Response:
    """Return the filters of a layer that reads the image, in colour; of a deeper one, a unit's planes in gray."""
    view = live_filters.FilterView(layer, unit, scale, zoom)
    return picture(
        request,
        store,
        lambda served: live_filters.filters(live, served, view),
    )


@router.get("/{store}/layers/{layer:layer}/filters/facts", response_model=FiltersAnswer, responses=TABLE)
def layer_filter_facts(
    request: Request,
    store: StoreName,
    layer: LayerName,
    *,
    live: LiveHere,
    unit: UnitChoice = None,
    scale: FilterScale = "filter",
    zoom: Annotated[Zoom | None, Query()] = None,
) -> Response:
    """Return what the picture of a layer's filters shows."""
    view = live_filters.FilterView(layer, unit, scale, zoom)
    return answer(
        request,
        store,
        lambda served: live_filters.describe_filters(live, served, view),
    )
