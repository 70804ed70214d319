"""Quick ways to the answers that are asked for most: a unit's strongest patches, an image's nearest neighbours."""

from typing import Any

from fastapi import Request, Response

from ..answers.draft import Draft
from ..answers.stores import NeighborsAnswer
from ..answers.units import PatchesAnswer
from ..http.answering import answer, answer_from
from ..http.quick import NotAtHandError, Shortcut, whole
from ..near import Near
from ..questions.nearest import Search, neighbors_at_hand
from ..questions.patches import PatchQuery, patches_at_hand
from ..registry import Registry, ServedStore
from .parameters import LARGEST_NUMBER, MOST

Texts = dict[str, str]


def _patches(request: Request, path: Texts, query: Texts) -> Response:
    asked = PatchQuery(path["layer"], whole(path["unit"], 0, LARGEST_NUMBER), _k(query, PatchQuery.k))

    def make(served: ServedStore) -> Draft[PatchesAnswer]:
        return _at_hand(patches_at_hand(served, asked))

    return answer(request, _store(request, path), make)


def _neighbors(request: Request, path: Texts, query: Texts) -> Response:
    image, k = whole(query.get("image", ""), 0, LARGEST_NUMBER), _k(query, Search.k)

    def make(served: ServedStore, near: Near) -> Draft[NeighborsAnswer]:
        return _at_hand(neighbors_at_hand(served, near, image, k))

    return answer_from(request, _store(request, path), ServedStore.near_at_hand, make)


def _store(request: Request, path: Texts) -> str:
    registry: Registry = request.app.state.registry
    if not registry.at_hand(path["store"]):
        raise NotAtHandError
    return path["store"]


def _k(query: Texts, default: int) -> int:
    return whole(query["k"], 1, MOST) if "k" in query else default


def _at_hand(draft: Draft[Any] | None) -> Draft[Any]:
    if draft is None:
        raise NotAtHandError
    return draft


SHORTCUTS = [
    Shortcut("/api/v1/stores/{store}/layers/{layer}/units/{unit}/patches", frozenset({"k", "v"}), _patches),
    Shortcut("/api/v1/stores/{store}/neighbors", frozenset({"image", "k", "v"}), _neighbors),
]
