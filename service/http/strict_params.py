"""Routes that refuse parameters which they do not have: a filter whose name is misspelt must not be left out unsaid."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes, Query
from fastapi.routing import APIRoute

from ...common.closest import closest

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
        }

        async def checked(request: Request) -> Response:
            unknown = [name for name in request.query_params if name not in known and name != VERSION]
            if unknown:
                return self.refuse(request, unknown, known)
            return await handle(request)

        return checked

    def refuse(self, request: Request, unknown: Sequence[str], known: set[str]) -> Response:
        """Say it. Raises RequestValidationError."""
        raise RequestValidationError([_told(name, known) for name in unknown[:_SAID]])


def nearest(name: str, known: set[str]) -> str | None:
    """Return the parameter that may be meant."""
    return next(iter(closest(name, known, n=1)), None)


_SAID = 5
_LETTERS = 50


def _told(name: str, known: set[str]) -> dict[str, Any]:
    close = nearest(name, known)
    hint = f"did you mean {close}?" if close else f"there are: {', '.join(sorted(known)) or 'none'}"
    return {"loc": ("query", name[:_LETTERS]), "msg": f"no such parameter; {hint}", "type": "unknown"}
