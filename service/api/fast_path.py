"""FastPath ways to the answers that are asked for most: a unit's strongest patches, an image's nearest neighbours."""

from typing import TypeVar

from fastapi import Request, Response

from ..http.fast_path import FastRoute, NotCachedError, whole
from ..http.responses import answer_at_hand
from ..params.common import LARGEST_NUMBER, MOST
from ..queries.neighbors import Search, neighbors_at_hand
from ..queries.patches import PatchQuery, patches_at_hand
from ..stores.registry import Registry, ServedStore

T = TypeVar("T")
Texts = dict[str, str]


def _patches(request: Request, path: Texts, query: Texts) -> Response:
    asked = PatchQuery(path["layer"], whole(path["unit"], 0, LARGEST_NUMBER), _k(query, PatchQuery.k))
    served = _served(request, path)
    return answer_at_hand(request, served, lambda: _at_hand(patches_at_hand(served, asked)))


def _neighbors(request: Request, path: Texts, query: Texts) -> Response:
    image, k = whole(query.get("image", ""), 0, LARGEST_NUMBER), _k(query, Search.k)
    served = _served(request, path)
    near = _at_hand(served.near_at_hand())
    return answer_at_hand(
        request, served, lambda: _at_hand(neighbors_at_hand(served, near.value, image, k)), near
    )


def _served(request: Request, path: Texts) -> ServedStore:
    registry: Registry = request.app.state.registry
    return _at_hand(registry.at_hand(path["store"])).value


def _k(query: Texts, default: int) -> int:
    return whole(query["k"], 1, MOST) if "k" in query else default


def _at_hand(found: T | None) -> T:
    if found is None:
        raise NotCachedError
    return found


FAST_ROUTES = [
    FastRoute("/api/v1/stores/{store}/layers/{layer}/units/{unit}/patches", frozenset({"k", "v"}), _patches),
    FastRoute("/api/v1/stores/{store}/neighbors", frozenset({"image", "k", "v"}), _neighbors),
]
