"""Errors as problem+json (RFC 9457): what was wrong, what is allowed, what to do next."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ..common.errors import (
    ImageError,
    LayerError,
    NotFoundError,
    StorageError,
    StoreDamagedError,
    StoreNotFoundError,
    UnitscopeError,
    UsageError,
)


class Problem(BaseModel):
    """RFC 9457. `type` is a short name of the kind of problem, `detail` a sentence for a person."""

    type: str
    title: str
    status: int
    detail: str


_STATUS: tuple[tuple[type[UnitscopeError], int, str], ...] = (
    (NotFoundError, 404, "Not found"),
    (LayerError, 404, "No such layer or unit"),
    (StoreNotFoundError, 404, "Not there"),
    (StoreDamagedError, 409, "The store or the image has changed"),
    (StorageError, 503, "The store cannot be read now"),
    (ImageError, 410, "The image cannot be read"),
    (UsageError, 422, "The request cannot be answered"),
    (UnitscopeError, 409, "The store cannot answer"),
)
"""From the narrowest to the widest."""


def status_of(error: UnitscopeError) -> tuple[int, str]:
    """HTTP status and title."""
    return next((status, title) for kind, status, title in _STATUS if isinstance(error, kind))


def problem(status: int, title: str, detail: str, kind: str = "about:blank") -> JSONResponse:
    """A problem+json response."""
    content = Problem(type=kind, title=title, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, media_type="application/problem+json")


def add_handlers(app: FastAPI) -> None:
    """Every error of the API becomes problem+json; the pages have handlers of their own."""

    @app.exception_handler(UnitscopeError)
    async def ours(request: Request, error: UnitscopeError) -> JSONResponse:
        status, title = status_of(error)
        return problem(status, title, str(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, "Not possible", str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return problem(422, "The request cannot be answered", told)
