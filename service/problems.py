"""Errors, as problem+json (RFC 9457) for programs and as a page for people."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ..common.errors import (
    DatasetError,
    FilterError,
    ImageError,
    LayerError,
    NotFoundError,
    StorageError,
    StoreDamagedError,
    StoreError,
    StoreNotFoundError,
    UnitscopeError,
    UsageError,
)
from .answers import StoreAnswer
from .ask import describe
from .look import page
from .observe import current_id

MEDIA_TYPE = "application/problem+json"
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_PROGRAMS = re.compile(r"/(api|livez|readyz|metrics|openapi\.json)(/|$)")
"""Paths whose errors are for programs."""


class Problem(BaseModel):
    """RFC 9457. `type` is a short name of the kind of problem, `detail` a sentence for a person."""

    type: str
    title: str
    status: int
    detail: str


class ImageChangedError(StoreDamagedError):
    """The image is not the one that was swept."""


class ImageGoneError(DatasetError):
    """The image, or its dataset, is not where it was when it was swept."""


class ModelChangedError(StoreError):
    """The model that is there is not the one that was swept."""


class ModelUnavailableError(UnitscopeError):
    """The model worker cannot answer now. retry_after: seconds after which it may, None where that is not known."""

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


_KINDS: tuple[tuple[type[UnitscopeError], int, str, str], ...] = (
    (NotFoundError, 404, "not-found", "Not found"),
    (LayerError, 404, "no-such-unit", "No such layer or unit"),
    (StoreNotFoundError, 404, "not-made-yet", "Not there"),
    (FilterError, 422, "filter", "The filter cannot be read"),
    (UsageError, 422, "request", "The request cannot be answered"),
    (ImageChangedError, 409, "image-changed", "The image has changed since the sweep"),
    (ImageGoneError, 410, "image-gone", "The image is not there any more"),
    (ImageError, 422, "image", "The image cannot be decoded"),
    (StoreDamagedError, 503, "store-damaged", "The store is damaged"),
    (StorageError, 503, "storage", "The store cannot be read now"),
    (ModelChangedError, 409, "model-changed", "The model has changed since the sweep"),
    (ModelUnavailableError, 503, "live-model", "The model cannot be asked now"),
    (UnitscopeError, 409, "store", "The store cannot answer"),
)
"""Kind of error, HTTP status, type and title; from the narrowest to the widest."""


def status_of(error: UnitscopeError) -> tuple[int, str, str]:
    """HTTP status, type and title."""
    return next(told for kind, *told in _KINDS if isinstance(error, kind))  # pyright: ignore[reportReturnType]


def problem(
    status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem+json response."""
    content = Problem(type=f"urn:unitscope:{kind}", title=title, status=status, detail=detail)
    return JSONResponse(content.model_dump(), status, headers, MEDIA_TYPE)


def respond(
    request: Request,
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """For programs or for people, as the path tells."""
    if _PROGRAMS.match(request.url.path):
        return problem(status, kind, title, detail, headers)
    response = page(
        request, "problem.html", status=status, title=title, detail=detail, store=_store_of(request)
    )
    response.headers.update(headers or {})
    return response


def add_handlers(app: FastAPI) -> None:
    """Every error of the service becomes a problem or a page."""

    @app.exception_handler(UnitscopeError)
    def ours(request: Request, error: UnitscopeError) -> Response:
        retry = error.retry_after if isinstance(error, ModelUnavailableError) else None
        headers = None if retry is None else {"Retry-After": str(retry)}
        return respond(request, *status_of(error), str(error), headers=headers)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        detail = str(error.detail)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_allowed(app, request))
            detail = f"{request.method} is not possible here; {headers['Allow']} is"
        elif error.status_code == HTTPStatus.NOT_FOUND:
            detail = f"nothing has the address {request.url.path[:200]}; /openapi.json lists what there is"
        title = HTTPStatus(error.status_code).phrase
        return respond(
            request, error.status_code, title.lower().replace(" ", "-"), title, detail, headers=headers
        )

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return respond(request, 422, "request", "The request cannot be answered", told[:4000])

    @app.exception_handler(Exception)
    def bug(request: Request, error: Exception) -> Response:
        detail = (
            "This is a bug in Unitscope: please report what the service has written on stderr about request "
            f"{current_id()}."
        )
        return respond(request, 500, "bug", "The service failed", detail)


def _store_of(request: Request) -> StoreAnswer | None:
    """The store that the address names, if it can be read: the page says of it what every page says."""
    try:
        return describe(request.app.state.registry.get(request.path_params.get("store", "")).value)
    except UnitscopeError:
        return None


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that this path has."""
    found = {
        method
        for method in _METHODS
        for route in app.router.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    if not found or len(found) == len(_METHODS):  # static files
        found = {"GET"}
    return sorted(found | ({"HEAD"} if "GET" in found else set()))
