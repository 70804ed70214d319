"""Routes that refuse parameters which they do not have: a filter whose name is misspelt must not be left out unsaid."""

import difflib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes, Query
from fastapi.routing import APIRoute

VERSION = "v"
"""In the addresses that may be kept for good; where nothing depends on it, it is ignored."""


class StrictRoute(APIRoute):
    """Answers 422 where the query names an unknown parameter."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {
            field.alias
            for field in get_flat_params(self.dependant)
            if isinstance(field.field_info, Query) and field.field_info.in_ == ParamTypes.query
        } | {VERSION}

        async def checked(request: Request) -> Response:
            unknown = [name for name in request.query_params if name not in known]
            if unknown:
                raise RequestValidationError([_told(name, known) for name in unknown[:_SAID]])
            return await handle(request)

        return checked


_SAID = 5
_LETTERS = 50


def _told(name: str, known: set[str]) -> dict[str, Any]:
    close = difflib.get_close_matches(name, known, 1)
    there = ", ".join(sorted(known - {VERSION})) or "none"
    hint = f"did you mean {close[0]}?" if close else f"there are: {there}"
    return {"loc": ("query", name[:_LETTERS]), "msg": f"no such parameter; {hint}", "type": "unknown"}
