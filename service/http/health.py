"""/livez and /readyz, for whatever watches the process."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ...common.errors import StorageError, UnitscopeError
from ...index.format.files import MANIFEST
from ..schemas.stores import Health
from ..stores.registry import Registry
from .openapi import problems

router = APIRouter()
_HEADERS = {"Cache-Control": "no-store"}


@router.get("/livez", response_model=Health, responses=problems(403))
async def livez() -> Response:
    """Return the process answers."""
    return JSONResponse(Health(status="ok").model_dump(), headers=_HEADERS)


@router.get("/readyz", response_model=Health, responses=problems(403, 503))
def readyz(request: Request) -> Response:
    """Return every store can be read: its manifest is read, and the store opened again where that has changed."""
    registry: Registry = request.app.state.registry
    for name in registry.names():
        folder = registry.get(name).value.store.folder
        try:
            folder.read(MANIFEST)
        except UnitscopeError as error:
            raise StorageError(f"The store {name} cannot be read now: {error}") from error
    return JSONResponse(Health(status="ok").model_dump(), headers=_HEADERS)
