"""The API under /api/v1: stores, layers and atlases, as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..http.openapi import NOT_MODIFIED, TABLE, problems
from ..http.responses import answer, answer_from, answer_now, consistent
from ..http.strict_params import StrictRoute
from ..params.common import AtlasName, StoreName
from ..queries import stores as ask
from ..queries.atlases import all_atlases, describe_atlas, grid
from ..schemas.atlases import AtlasAnswer, AtlasesAnswer, GridAnswer
from ..schemas.stores import LayersAnswer, StoreAnswer, StoresAnswer
from ..stores.registry import Registry

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)


@router.get("", response_model=StoresAnswer, responses=problems(403, 503) | NOT_MODIFIED)
def list_stores(request: Request) -> Response:
    """Return the stores that this service answers from."""
    registry: Registry = request.app.state.registry
    stores = [ask.describe(registry.get(name).value) for name in registry.names()]
    return answer_now(request, StoresAnswer(stores=stores))


@router.get("/{store}", response_model=StoreAnswer, responses=TABLE)
def one_store(request: Request, store: StoreName) -> Response:
    """Return what was swept, with what."""
    return answer_now(request, consistent(request, store, ask.describe))


@router.get("/{store}/layers", response_model=LayersAnswer, responses=TABLE)
def list_layers(request: Request, store: StoreName) -> Response:
    """Return the layers, in order of execution."""
    return answer(request, store, ask.layers)


@router.get("/{store}/atlases", response_model=AtlasesAnswer, responses=TABLE)
def list_atlases(request: Request, store: StoreName) -> Response:
    """Return the finished atlases."""
    return answer_now(request, consistent(request, store, all_atlases))


@router.get("/{store}/atlases/{atlas}", response_model=AtlasAnswer, responses=TABLE)
def one_atlas(request: Request, store: StoreName, atlas: AtlasName) -> Response:
    """Return how an atlas was made, and how good it is."""
    return answer_from(request, store, lambda served: served.atlas(atlas), describe_atlas)


@router.get("/{store}/atlases/{atlas}/grid", response_model=GridAnswer, responses=TABLE)
def atlas_grid(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    row: Annotated[int, Query(ge=0, le=100_000)] = 0,
    column: Annotated[int, Query(ge=0, le=100_000)] = 0,
    rows: Annotated[int, Query(ge=1, le=256)] = 64,
    columns: Annotated[int, Query(ge=1, le=256)] = 64,
) -> Response:
    """Return a window of the grid: one image for each cell of the map."""
    window = (row, row + rows), (column, column + columns)
    return answer_from(
        request, store, lambda served: served.atlas(atlas), lambda served, found: grid(served, found, *window)
    )
