"""Turns a question into a response: from one version of a store only, with a strong ETag, 304 where nothing changed."""

import hashlib
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from ..common.errors import StorageError, UnitscopeError
from .addresses import version
from .fresh import Version
from .registry import Registry, ServedStore

T = TypeVar("T")

RELEASE = metadata.version("unitscope")
REVALIDATE = "private, no-cache"
"""Kept, but asked for again each time; the ETag makes that cheap."""
IMMUTABLE = "private, max-age=31536000, immutable"
"""For addresses that name the version of the store that they are of."""
_TRIES = 20

Picture = tuple[bytes, str]
"""Encoded pixels and their media type."""


def answer(request: Request, store: str, make: Callable[[ServedStore], BaseModel]) -> Response:
    """The JSON of what `make` answers from a store. Raises what `make` raises."""
    return _respond(request, store, _nothing, lambda served, _: _json(make(served)))


def answer_from(
    request: Request,
    store: str,
    part: Callable[[ServedStore], Version[Any]],
    make: Callable[[ServedStore, Any], BaseModel],
) -> Response:
    """As `answer`, from one version of a part of the store (its index, an atlas) too."""
    return _respond(request, store, part, lambda served, value: _json(make(served, value)))


def answer_now(request: Request, content: BaseModel) -> Response:
    """The JSON of what changes with more than a manifest; the ETag is made from its bytes."""
    data, kind = _json(content)
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATE}
    if _matches(request, etag) or _matches(request, "*"):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=kind, headers=headers)


def picture(request: Request, store: str, make: Callable[[ServedStore], Picture]) -> Response:
    """The picture that `make` gives from a store."""
    return _respond(request, store, _nothing, lambda served, _: make(served))


def consistent(request: Request, store: str, make: Callable[[ServedStore], T]) -> T:
    """What `make` gives from one version of the store. Raises NotFoundError, StorageError, and what `make` raises.

    Made again where the store was replaced meanwhile: then its files may have been those of two versions.
    """
    registry: Registry = request.app.state.registry
    for _ in range(_TRIES):
        served = registry.get(store)
        try:
            made = make(served.value)
        except UnitscopeError:
            if registry.get(store).stamp == served.stamp:
                raise
            continue
        if registry.get(store).stamp == served.stamp:
            return made
    raise StorageError(f"the store {store} is being replaced; try again")


def _respond(
    request: Request,
    store: str,
    part: Callable[[ServedStore], Version[Any]],
    make: Callable[[ServedStore, Any], Picture],
) -> Response:
    def respond(served: ServedStore) -> Response:
        used = part(served)
        etag = _etag(request, served, used)
        headers = {"ETag": etag, "Cache-Control": _cache_control(request, served)}
        if _matches(request, etag):
            return Response(status_code=304, headers=headers)
        data, kind = make(served, used.value)
        if _matches(request, "*"):
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    return consistent(request, store, respond)


def _nothing(served: ServedStore) -> Version[Any]:
    return Version(None, "", ())


def _json(content: BaseModel) -> Picture:
    return content.model_dump_json().encode(), "application/json"


def _etag(request: Request, served: ServedStore, part: Version[Any]) -> str:
    """Strong: of everything that the answer is a function of."""
    scope = request.scope
    made_of = (RELEASE, served.hash, part.digest, scope["path"], scope["query_string"].decode("latin-1"))
    return f'"{hashlib.sha256(chr(0).join(made_of).encode()).hexdigest()[:32]}"'


def _matches(request: Request, etag: str) -> bool:
    """Whether If-None-Match names this ETag (RFC 9110 §13.1.2: compared weakly)."""
    wanted = request.headers.get("if-none-match")
    return wanted is not None and etag in (one.strip().removeprefix("W/") for one in wanted.split(","))


def _cache_control(request: Request, served: ServedStore) -> str:
    return IMMUTABLE if request.query_params.get("v") == version(served) else REVALIDATE
