"""What requests about atlases may hold, and how they are answered: which atlas, which of its views, what place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Path, Query, Request, Response

from ...index.atlas.atlas import Atlas
from ...index.atlas.layer_atlas import LayerAtlas
from ..http.responses import Content, answer_from, picture_from
from ..queries.layer_atlases import layer_atlas_of
from ..queries.maps import MapVersion, map_of, map_of_layer
from ..queries.tiles import Spot, TilePlace, atlas_of
from ..schemas.atlases import Kind, ViewName
from ..stores.registry import ServedStore
from ..stores.versioned import Picture, Version
from .common import AtlasName, LayerName, StoreName

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
        description="`nearest`: one image for each cell of the map; `assigned`: a cell for each image; `scatter`: "
        "images at their coordinates, as many as have room in a level, and all in the deepest"
    ),
]
KindOfMap = Annotated[
    Kind,
    Path(
        description="`units`: the layer's units, laid out by how they fire over the dataset; `activations`: its "
        "activations at single positions of the images, averaged over the cells of the nearest grid"
    ),
]
Place = Annotated[int, Path(ge=0, le=2**31)]
_Along = Annotated[
    float, Query(ge=0, le=2**31, description="in cells of the deepest level from its upper left corner")
]


@dataclass(frozen=True)
class Asked(Generic[A]):
    """A request about an atlas, or about something of it. find: that in one version; raises where there is none."""

    request: Request
    store: str
    find: Callable[[ServedStore], Version[A]]

    def answer(self, make: Callable[[ServedStore, A], Content]) -> Response:
        """Return what `make` says of it."""
        return answer_from(self.request, self.store, self.find, make)

    def answer_versioned(self, make: Callable[[ServedStore, Version[A]], Content]) -> Response:
        """Return what `make` says of it and its version."""

        def itself(served: ServedStore) -> Version[Version[A]]:
            found = self.find(served)
            return Version(found, found.digest, found.stamp)

        return answer_from(self.request, self.store, itself, make)

    def picture(self, make: Callable[[ServedStore, A], Picture]) -> Response:
        """Return the picture that `make` gives of it."""
        return picture_from(self.request, self.store, self.find, make)


@dataclass(frozen=True)
class AskedOfLayer(Asked[LayerAtlas]):
    """The same of one of a layer's own atlases."""

    kind: Kind


async def _atlas(
    request: Request, store: StoreName, atlas: AtlasName, v: AtlasVersion = None
) -> Asked[Atlas]:
    return Asked(request, store, lambda served: atlas_of(served, atlas, v))


async def _layer_atlas(
    request: Request, store: StoreName, layer: LayerName, kind: KindOfMap, v: AtlasVersion = None
) -> AskedOfLayer:
    return asked_of_layer(request, store, layer, kind, v)


def asked_of_layer(request: Request, store: str, layer: str, kind: Kind, v: str | None) -> AskedOfLayer:
    """Return a request about one of a layer's own atlases. v: the version that it must have, None for any."""
    return AskedOfLayer(request, store, lambda served: layer_atlas_of(served, layer, kind, v), kind)


async def _map(asked: "AskedAtlas") -> Asked[MapVersion]:
    def find(served: ServedStore) -> Version[MapVersion]:
        found = asked.find(served)
        return Version(map_of(served, found), found.digest, found.stamp)

    return Asked(asked.request, asked.store, find)


async def _layer_map(asked: "AskedLayerAtlas") -> Asked[MapVersion]:
    def find(served: ServedStore) -> Version[MapVersion]:
        found = asked.find(served)
        return Version(map_of_layer(served, found, asked.kind), found.digest, found.stamp)

    return Asked(asked.request, asked.store, find)


AskedAtlas = Annotated[Asked[Atlas], Depends(_atlas)]
AskedLayerAtlas = Annotated[AskedOfLayer, Depends(_layer_atlas)]
AskedMap = Annotated[Asked[MapVersion], Depends(_map)]
AskedLayerMap = Annotated[Asked[MapVersion], Depends(_layer_map)]


async def _spot(
    x: _Along,
    y: _Along,
    grid: ViewName = "nearest",
    level: Annotated[
        int | None, Query(ge=0, le=2**31, description="of the scatter; by default the deepest")
    ] = None,
) -> Spot:
    return Spot(x, y, grid, level)


AskedSpot = Annotated[Spot, Depends(_spot)]


async def _tile(grid: View, level: Place, column: Place, row: Place) -> TilePlace:
    return TilePlace(grid, level, column, row)


AskedTile = Annotated[TilePlace, Depends(_tile)]
