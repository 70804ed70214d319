"""Turns a question into a response: from one version of a store only, with a strong ETag, 304 where nothing changed.

An answer that is a table comes as JSON or as Arrow, as the Accept header says; where it says nothing, as JSON.
"""

import hashlib
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar, get_args

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ...common.errors import StorageError, StoreError, UnitscopeError
from ...index.caching.cached_only import must_be_cached
from ..schemas import arrow as arrow_answers
from ..schemas.base import Table
from ..schemas.unvalidated import Unvalidated
from ..stores.registry import Registry, ServedStore
from ..stores.urls import version
from ..stores.versioned import Picture, Version, part_version
from .content_type import quality

T = TypeVar("T")

RELEASE = metadata.version("unitscope")
REVALIDATE = "private, no-cache"
"""Kept, but asked for again each time; the ETag makes that cheap."""
IMMUTABLE = "private, max-age=31536000, immutable"
"""For addresses that name the version of the store that they are of."""
_TRIES = 20
_ENTRY_BYTES = 600
"""Of what is kept with an answer: its ETag, its place in the cache."""
_JSON = "application/json"
_ANYTHING = ("", "*/*", _JSON)

Content = BaseModel | Unvalidated[Any]
"""What an answer says."""


def answer(request: Request, store: str, make: Callable[[ServedStore], Content]) -> Response:
    """Return what `make` answers from a store. Raises what `make` raises."""
    return answer_from(request, store, _nothing, lambda served, _: make(served))


def answer_from(
    request: Request,
    store: str,
    part: Callable[[ServedStore], Version[Any]],
    make: Callable[[ServedStore, Any], Content],
) -> Response:
    """Do the same as `answer`, from one version of a part of the store (its index, an atlas) too."""
    form = _form(request)
    return _respond(
        request, store, part, lambda served, value: (_encoded(make(served, value), form), form), form=form
    )


def answer_now(request: Request, content: BaseModel) -> Response:
    """Return the answer about what changes with more than a manifest; the ETag is made from its bytes."""
    form = _form(request)
    data = _encoded(content, form)
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATE, "Vary": "Accept"}
    if etag_matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=form, headers=headers)


def picture(request: Request, store: str, make: Callable[[ServedStore], Picture]) -> Response:
    """Return the picture that `make` gives from a store.

    Raises StoreError where the address names another version of the store: a page must not be given pictures of two.
    """

    def checked(served: ServedStore, _: None) -> Picture:
        asked = request.query_params.get("v")
        if asked is not None and asked != version(served):
            raise StoreError(f"the store {store} has been replaced since v={asked[:64]}: load the page again")
        return make(served)

    return _respond(request, store, _nothing, checked)


def picture_from(
    request: Request,
    store: str,
    part: Callable[[ServedStore], Version[Any]],
    make: Callable[[ServedStore, Any], Picture],
) -> Response:
    """Do the same as `picture`, from one version of a part of the store too; `v=` then names that version."""
    return _respond(request, store, part, make)


def consistent(request: Request, store: str, make: Callable[[ServedStore], T]) -> T:
    """Return what `make` gives from one version of the store. Raises NotFoundError, StorageError, and what `make`
    raises.

    Made again where the store was replaced meanwhile: then its files may have been those of two versions.
    """
    registry: Registry = request.app.state.registry
    if must_be_cached():  # nothing is opened by its name, so nothing of another version can be in it
        return make(registry.get(store).value)
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
    *,
    form: str | None = None,
) -> Response:
    """Respond. form: the media type that the request chose, None where there was nothing to choose.

    Made again where the part was made again meanwhile: its files may then be gone. What a GET chose a form of is
    kept by its ETag, which is of everything that it is made from.
    """

    def respond(served: ServedStore) -> Response:
        used = part(served)
        try:
            return _response(request, served, used, lambda: make(served, used.value), form)
        except UnitscopeError:
            if part(served).stamp == used.stamp:
                raise
            return respond(served)

    return consistent(request, store, respond)


def _response(
    request: Request,
    served: ServedStore,
    used: Version[Any],
    make: Callable[[], Picture],
    form: str | None,
) -> Response:
    etag = _etag(request, served, used, form or "")
    headers = {"ETag": etag, "Cache-Control": _cache_control(request, served, used)}
    if form is not None:
        headers["Vary"] = "Accept"
    named = request.headers.get("if-none-match")
    if etag_matches(named, etag, star=False):
        return Response(status_code=304, headers=headers)
    if form is None or request.method != "GET":
        data, kind = make()
    else:
        data, kind = served.answers.get(etag, make, _size, reads=False)
    if etag_matches(named, etag):  # `*`: there is such an answer
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=kind, headers=headers)


def _size(answered: Picture) -> int:
    return len(answered[0]) + _ENTRY_BYTES


def _nothing(served: ServedStore) -> Version[Any]:
    return Version(None, "", ())


def _form(request: Request) -> str:
    """Return the media type of the answer, of those that its kind has, as the request wants it.

    Raises HTTPException (406) where nothing but Arrow is accepted of an answer that is not a table.
    """
    accept = ",".join(request.headers.getlist("accept"))
    if accept in _ANYTHING:
        return _JSON
    wanted, plain = quality(accept, arrow_answers.MEDIA_TYPE), quality(accept, _JSON)
    if wanted <= plain:
        return _JSON
    model = getattr(request.scope["route"], "response_model", None)
    if all(isinstance(one, type) and issubclass(one, Table) for one in get_args(model) or (model,)):
        return arrow_answers.MEDIA_TYPE
    if plain == 0:
        raise HTTPException(406, f"this answer is not a table: ask for {_JSON}")
    return _JSON


def _encoded(content: Content, form: str) -> bytes:
    if isinstance(content, Unvalidated):
        if form == _JSON:
            return content.json()
        return _encoded(content.answer(), form)
    if form == arrow_answers.MEDIA_TYPE and isinstance(content, Table):
        return arrow_answers.to_stream(content)
    return content.model_dump_json().encode()


def _etag(request: Request, served: ServedStore, part: Version[Any], form: str) -> str:
    """Return a strong ETag: of everything that the answer is a function of."""
    scope = request.scope
    query = scope["query_string"].decode("latin-1")
    made_of = (RELEASE, served.hash, part.digest, form, scope["path"], query)
    return f'"{hashlib.sha256(chr(0).join(made_of).encode()).hexdigest()[:32]}"'


def etag_matches(named: str | None, etag: str, *, star: bool = True) -> bool:
    """Return whether If-None-Match holds this ETag: compared weakly (RFC 9110 §13.1.2).

    named: the header. star: whether `*`, which stands for any, counts too.
    """
    known = [one.strip().removeprefix("W/") for one in named.split(",")] if named else []
    return etag in known or (star and "*" in known)


def _cache_control(request: Request, served: ServedStore, part: Version[Any]) -> str:
    if b"v=" not in request.scope["query_string"]:
        return REVALIDATE
    wanted = part_version(part) if part.digest else version(served)
    return IMMUTABLE if request.query_params.get("v") == wanted else REVALIDATE
