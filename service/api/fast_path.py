"""Fast routes for the answers that are asked for most: a unit's strongest patches, an image's nearest neighbours."""

from fastapi import Request, Response

from ..http.fast_path import FastRoute, whole
from ..http.responses import answer, answer_from
from ..params.common import LARGEST_NUMBER, MOST
from ..queries.neighbors import Search, neighbors_of_image
from ..queries.patches import PatchQuery, patches
from ..stores.registry import ServedStore

Texts = dict[str, str]


def _patches(request: Request, path: Texts, query: Texts) -> Response:
    asked = PatchQuery(path["layer"], whole(path["unit"], 0, LARGEST_NUMBER), _k(query, PatchQuery.k))
    return answer(request, path["store"], lambda served: patches(served, asked))


def _neighbors(request: Request, path: Texts, query: Texts) -> Response:
    image, search = whole(query.get("image", ""), 0, LARGEST_NUMBER), Search(_k(query, Search.k))
    return answer_from(
        request,
        path["store"],
        ServedStore.near,
        lambda served, near: neighbors_of_image(served, near, image, search),
    )


def _k(query: Texts, default: int) -> int:
    return whole(query["k"], 1, MOST) if "k" in query else default


FAST_ROUTES = [
    FastRoute("/api/v1/stores/{store}/layers/{layer}/units/{unit}/patches", frozenset({"k", "v"}), _patches),
    FastRoute("/api/v1/stores/{store}/neighbors", frozenset({"image", "k", "v"}), _neighbors),
]
