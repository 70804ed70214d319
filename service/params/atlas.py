"""What requests about atlases may hold, and how they are answered: which atlas, which of its views, what place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Path, Query, Request, Response

from ..http.responses import Content, answer_from, picture_from
from ..queries.atlas.served_atlas import ServedAtlas, served_atlas
from ..queries.atlas.tiles import Spot, TilePlace
from ..schemas.atlases import ViewName
from ..stores.registry import ServedStore
from ..stores.versioned import Picture, Version
from .common import AtlasName, StoreName

A = TypeVar("A")

AtlasVersion = Annotated[
    str | None,
    Query(
        max_length=64,
        description="the atlas's version, as `address` of its tiles holds it: then the answer may be kept for good, "
        "and is refused (409) once the atlas has been made again",
    ),
]
View = Annotated[
    ViewName,
    Path(
        description="`nearest`: one item for each cell of the map; `assigned`: a cell for each item; `scatter`: "
        "items at their coordinates, as many as have room in a level, and all in the deepest"
    ),
]
Place = Annotated[int, Path(ge=0, le=2**31)]
_Along = Annotated[
    float, Query(ge=0, le=2**31, description="in cells of the deepest level from its upper left corner")
]


@dataclass(frozen=True)
class AtlasRequest(Generic[A]):
    """A request about an atlas, or about something of it. find: that in one version; raises where there is none."""

    request: Request
    store: str
    find: Callable[[ServedStore], Version[A]]

    def answer(self, make: Callable[[A], Content]) -> Response:
        """Return what `make` says of it."""
        return answer_from(self.request, self.store, self.find, lambda _, found: make(found))

    def picture(self, make: Callable[[A], Picture]) -> Response:
        """Return the picture that `make` gives of it."""
        return picture_from(self.request, self.store, self.find, lambda _, found: make(found))


async def _atlas(
    request: Request, store: StoreName, atlas: AtlasName, v: AtlasVersion = None
) -> AtlasRequest[ServedAtlas]:
    return AtlasRequest(request, store, lambda served: served_atlas(served, atlas, v))


AtlasParam = Annotated[AtlasRequest[ServedAtlas], Depends(_atlas)]


async def _spot(
    x: _Along,
    y: _Along,
    grid: ViewName = "nearest",
    level: Annotated[
        int | None, Query(ge=0, le=2**31, description="of the scatter; by default the deepest")
    ] = None,
) -> Spot:
    return Spot(x, y, grid, level)


SpotParam = Annotated[Spot, Depends(_spot)]


async def _tile(grid: View, level: Place, column: Place, row: Place) -> TilePlace:
    return TilePlace(grid, level, column, row)


TileParam = Annotated[TilePlace, Depends(_tile)]
