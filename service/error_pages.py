"""Errors as pages for people, and the handlers that turn every error of the service into a problem or a page."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pyarrow import ArrowException
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ..common.closest import closest
from ..common.errors import StoreDamagedError, UnitscopeError
from ..index.storage.damaged import describe as describe_error
from .errors import MEDIA_TYPE, ModelUnavailableError, status_of
from .http.layer_paths import plain_path
from .http.problems import problem
from .pages.rendering.page import page
from .pages.rendering.sections import store_of
from .pages.rendering.urls import images_url, layer_url, store_url
from .telemetry import current_id
from .validation_messages import plain_words

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


_PROGRAMS = re.compile(r"/(api|livez|readyz|metrics|openapi\.json)(/|$)")
"""Paths whose errors are for programs."""


def respond(
    request: Request,
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Respond for programs or for people, as the path tells; a script that fills a piece of a page says that it is
    one.
    """
    if _PROGRAMS.match(request.url.path) or MEDIA_TYPE in request.headers.get("accept", ""):
        return problem(status, kind, title, detail, headers)
    response = page(
        request,
        "problem.html",
        status=status,
        title=title,
        detail=detail,
        store=store_of(request),
        ways=_ways(request),
    )
    response.headers.update(headers or {})
    return response


def add_handlers(app: FastAPI) -> None:
    """Make every error of the service a problem or a page."""

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
            detail = f"nothing has the address {plain_path(request.url.path)[:200]}; /openapi.json lists what there is"
        title = HTTPStatus(error.status_code).phrase
        return respond(
            request, error.status_code, title.lower().replace(" ", "-"), title, detail, headers=headers
        )

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{_place(one['loc'])}: {plain_words(one)}" for one in error.errors())
        return respond(request, 422, "request", "The request cannot be answered", told[:4000])

    @app.exception_handler(ArrowException)
    def damaged(request: Request, error: ArrowException) -> Response:
        """Return Arrow computes from nothing but the files of stores: what it cannot read is damaged."""
        told = StoreDamagedError(
            f"store damaged: a table holds what cannot be read ({describe_error(error)}); `unitscope verify STORE` "
            "lists what is damaged"
        )
        return respond(request, *status_of(told), str(told))

    @app.exception_handler(Exception)
    def bug(request: Request, error: Exception) -> Response:
        detail = (
            "This is a bug in Unitscope: please report what the service has written on stderr about request "
            f"{current_id()}."
        )
        return respond(request, 500, "bug", "The service failed", detail)


def _place(location: tuple[str | int, ...]) -> str:
    """Return where in a request it is: the name of a parameter or field, or else that it is the body, and its byte."""
    inside = location[1:]
    return ".".join(map(str, inside if any(isinstance(one, str) for one in inside) else location))


def _ways(request: Request) -> list[tuple[str, str]]:
    """Return words and address of pages that are near what was asked for, and are there."""
    asked = request.path_params
    name, layer = str(asked.get("store", "")), str(asked.get("layer", ""))
    try:
        served = request.app.state.registry.get(name).value
    except UnitscopeError:
        return []
    if layer:
        names = [row.layer for row in served.store.layers]
        close = [layer] if layer in names else closest(layer, names, cutoff=0.4)
        return [(f"The units of {one}", layer_url(name, one)) for one in close]
    if "image_id" in asked:
        return [("All images", images_url(name))]
    return [("All classes", f"{store_url(name)}/classes")] if "label" in asked else []


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """Return the methods that this path has."""
    found = {
        method
        for method in _METHODS
        for route in app.router.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    if not found or len(found) == len(_METHODS):  # static files
        found = {"GET"}
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def too_large(request: Request, detail: str) -> Response:
    """Return the response to a request whose body is too large."""
    return respond(request, 413, "too-large", "Too large", detail)
