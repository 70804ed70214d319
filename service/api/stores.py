"""The API under /api/v1: stores and layers, as JSON."""

from fastapi import APIRouter, Request, Response

from ..http.openapi import NOT_MODIFIED, TABLE, problems
from ..http.responses import answer, answer_now, consistent
from ..http.strict_params import StrictRoute
from ..params.common import StoreName
from ..queries import stores as store_queries
from ..schemas.stores import LayersAnswer, StoreAnswer, StoresAnswer
from ..stores.registry import Registry

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)


@router.get("", response_model=StoresAnswer, responses=problems(403, 503) | NOT_MODIFIED)
def list_stores(request: Request) -> Response:
    """Return the stores that this service answers from."""
    registry: Registry = request.app.state.registry
    stores = [store_queries.describe(registry.get(name).value) for name in registry.names()]
    return answer_now(request, StoresAnswer(stores=stores))


@router.get("/{store}", response_model=StoreAnswer, responses=TABLE)
def one_store(request: Request, store: StoreName) -> Response:
    """Return what was swept, with what."""
    return answer_now(request, consistent(request, store, store_queries.describe))


@router.get("/{store}/layers", response_model=LayersAnswer, responses=TABLE)
def list_layers(request: Request, store: StoreName) -> Response:
    """Return the layers, in order of execution."""
    return answer(request, store, store_queries.layers)
