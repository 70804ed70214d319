"""The API's neighbours: of an image of the store, and of a vector."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from ...index.neighbors.index import NeighborIndex
from ..http.openapi import TABLE, problems
from ..http.responses import answer_from
from ..http.strict_params import StrictRoute
from ..params.common import ImageId, K, MetricName, StoreName, Where
from ..queries.neighbors import Search, neighbors, neighbors_in_pixels, neighbors_of_image
from ..schemas.neighbors import NeighborsAnswer, Space, VectorQuery
from ..schemas.unvalidated import Unvalidated
from ..stores.neighbors import Neighbors
from ..stores.registry import ServedStore

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)


@router.get("/{store}/neighbors", response_model=NeighborsAnswer, responses=TABLE)
def image_neighbors(
    request: Request,
    store: StoreName,
    image: ImageId,
    *,
    k: K = 10,
    where: Where = None,
    metric: MetricName = None,
    exact: bool = False,
    space: Annotated[
        Space, Query(description="what is near: in the model's features, or in pixels")
    ] = "features",
) -> Response:
    """Return the images that the model finds most like an image of the store; or those that look most like it in
    pixels.
    """
    search = Search(k, metric, where, exact)
    if space == "pixels":

        def in_pixels(served: ServedStore, ann: NeighborIndex) -> Unvalidated[NeighborsAnswer]:
            return neighbors_in_pixels(served, ann, image, search)

        return answer_from(request, store, ServedStore.pixels, in_pixels)

    def in_features(served: ServedStore, near: Neighbors) -> Unvalidated[NeighborsAnswer]:
        return neighbors_of_image(served, near, image, search)

    return answer_from(request, store, ServedStore.near, in_features)


@router.post(
    "/{store}/neighbors",
    response_model=NeighborsAnswer,
    responses=problems(400, 403, 404, 409, 413, 422, 503),
)
def vector_neighbors(request: Request, store: StoreName, query: VectorQuery) -> Response:
    """Return the images whose features are nearest to a vector."""

    search = Search(query.k, query.metric, query.where, query.exact)

    def make(served: ServedStore, ann: NeighborIndex) -> Unvalidated[NeighborsAnswer]:
        return neighbors(served, ann, np.array(query.vector, np.float32), search)

    response = answer_from(request, store, ServedStore.ann, make)
    del response.headers["ETag"]  # the address does not name the vector
    response.headers["Cache-Control"] = "no-store"
    return response
