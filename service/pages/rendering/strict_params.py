"""Pages that refuse parameters which they do not have, and link to what may be meant and to the page without them."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from fastapi import Request, Response

from ...http.strict_params import StrictRoute, nearest
from .page import page
from .sections import store_of

_SAID = 5


class StrictPage(StrictRoute):
    """A page that answers 422 with a page where the address names an unknown parameter."""

    def refuse(self, request: Request, unknown: Sequence[str], known: set[str]) -> Response:
        """Return what is unknown, what there is, and two ways on."""
        names = list(dict.fromkeys(unknown))
        given = request.query_params.multi_items()
        meant = {name: nearest(name, known - set(request.query_params)) for name in names}
        return page(
            request,
            "unknown.html",
            status=422,
            store=store_of(request),
            meant=list(meant.items())[:_SAID],
            more=max(0, len(names) - _SAID),
            known=sorted(known),
            without=_address(request, [pair for pair in given if pair[0] not in meant]),
            corrected=_address(request, [(meant.get(name) or name, value) for name, value in given])
            if all(meant.values()) and len(set(meant.values())) == len(meant)
            else None,
        )


def _address(request: Request, query: Sequence[tuple[str, str]]) -> str:
    path = request.scope["raw_path"].decode("ascii")
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path
