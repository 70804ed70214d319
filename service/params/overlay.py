"""Dependencies of routes: what a map is colored by."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from ...common.errors import UsageError
from ..queries.atlas.overlays import Coloring
from ..queries.atlas.regions import Selection
from ..queries.atlas.served_atlas import ServedAtlas, served_atlas
from ..queries.atlas.tiles import TilePlace
from ..schemas.atlases import ViewName
from ..schemas.overlays import ColorBy
from ..stores.registry import Registry, ServedStore
from ..stores.versioned import Version
from .atlas import AtlasParam, AtlasRequest, Place, View
from .common import MAX_LAYER, Where
from .region import Region


@dataclass(frozen=True)
class ColoringQuery:
    """What to color by, as a request says it."""

    by: ColorBy
    column: str | None
    layer: str | None
    unit: int | None
    where: str | None
    region: str | None
    region_grid: ViewName
    region_atlas: str | None
    region_store: str | None


async def _asked(
    by: Annotated[ColorBy, Query(description="what the images are coloured by")],
    column: Annotated[
        str | None, Query(max_length=300, description="with by=column: one of `overlays`; default: label")
    ] = None,
    unit_layer: Annotated[
        str | None, Query(alias="layer", max_length=MAX_LAYER, description="with by=unit")
    ] = None,
    unit: Annotated[int | None, Query(ge=0, le=2**31, description="with by=unit")] = None,
    where: Where = None,
    region: Region | None = None,
    region_grid: Annotated[ViewName, Query(description="the grid that the region was drawn in")] = "nearest",
    region_atlas: Annotated[
        str | None,
        Query(max_length=MAX_LAYER + 20, description="the atlas that it was drawn in; default: this one"),
    ] = None,
    region_store: Annotated[
        str | None, Query(max_length=300, description="the store of that atlas; default: this one")
    ] = None,
) -> ColoringQuery:
    return ColoringQuery(by, column, unit_layer, unit, where, region, region_grid, region_atlas, region_store)


ColoringParam = Annotated[ColoringQuery, Depends(_asked)]


@dataclass(frozen=True)
class ColoredAtlas:
    """A map and what it is colored by: one version of each."""

    shown: ServedAtlas
    coloring: Coloring


async def _colored(asked: AtlasParam, by: ColoringParam) -> AtlasRequest[ColoredAtlas]:
    return AtlasRequest(asked.request, asked.store, colored_atlas(asked.request, asked.find, by))


ColoredAtlasParam = Annotated[AtlasRequest[ColoredAtlas], Depends(_colored)]


async def _tile(grid: View, level: Place, column_of_tile: Place, row: Place) -> TilePlace:
    # `column` of the query is what to color by
    return TilePlace(grid, level, column_of_tile, row)


OverlayTileParam = Annotated[TilePlace, Depends(_tile)]


def colored_atlas(
    request: Request, find: Callable[[ServedStore], Version[ServedAtlas]], asked: ColoringQuery
) -> Callable[[ServedStore], Version[ColoredAtlas]]:
    """Return the map with what it is colored by: its version is also that of the atlas that a region was drawn in."""

    def part(served: ServedStore) -> Version[ColoredAtlas]:
        found = find(served)
        selection, digest, stamp = None, found.digest, found.stamp
        if asked.by == "region" and asked.region is not None:
            selection = _selection(request, served, asked, found.value)
            if selection.shown is not found.value:
                digest = hashlib.sha256(f"{digest} {selection.digest}".encode()).hexdigest()
                stamp = (*stamp, *selection.shown.found.stamp)
        coloring = Coloring(asked.by, asked.column, asked.layer, asked.unit, asked.where, selection)
        return Version(ColoredAtlas(found.value, coloring), digest, stamp)

    return part


def _selection(request: Request, served: ServedStore, asked: ColoringQuery, shown: ServedAtlas) -> Selection:
    registry: Registry = request.app.state.registry
    there = served if asked.region_store in (None, served.name) else registry.get(asked.region_store).value
    if there is not served and asked.region_atlas is None:
        raise UsageError(
            "region_store needs region_atlas: the atlas of that store that the region was drawn in"
        )
    if there is served and asked.region_atlas in (None, shown.name):
        return Selection(shown, asked.region_grid, asked.region or "")
    drawn_in = served_atlas(there, asked.region_atlas or shown.name).value
    for one in (shown, drawn_in):
        if one.kind != "images":
            raise UsageError(f"an atlas of {one.kind} can only be colored by a region of its own")
    return Selection(drawn_in, asked.region_grid, asked.region or "")
