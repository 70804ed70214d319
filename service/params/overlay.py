"""Dependencies of routes: what a map is colored by."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from ...common.errors import UsageError
from ..queries.maps import MapVersion, map_of
from ..queries.overlays import Paint
from ..queries.regions import Drawn
from ..queries.tiles import TilePlace
from ..schemas.atlases import ViewName
from ..schemas.overlays import PaintedBy
from ..stores.registry import Registry, ServedStore
from ..stores.versioned import Version
from .atlas import Asked, AskedLayerMap, AskedMap, Place, View
from .common import MAX_LAYER, Where
from .region import Region


@dataclass(frozen=True)
class ColoringQuery:
    """What to paint by, as a request says it."""

    by: PaintedBy
    column: str | None
    layer: str | None
    unit: int | None
    where: str | None
    region: str | None
    region_grid: ViewName
    region_atlas: str | None
    region_store: str | None


async def _asked(
    by: Annotated[PaintedBy, Query(description="what the images are coloured by")],
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
        Query(
            pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the atlas that it was drawn in; default: this one"
        ),
    ] = None,
    region_store: Annotated[
        str | None, Query(max_length=300, description="the store of that atlas; default: this one")
    ] = None,
) -> ColoringQuery:
    return ColoringQuery(by, column, unit_layer, unit, where, region, region_grid, region_atlas, region_store)


Painting = Annotated[ColoringQuery, Depends(_asked)]


@dataclass(frozen=True)
class ColoredMap:
    """A map and what it is painted by: one version of each."""

    shown: MapVersion
    paint: Paint


async def _painted(asked: AskedMap, by: Painting) -> Asked[ColoredMap]:
    return Asked(asked.request, asked.store, painting(asked.request, asked.find, by))


AskedPainted = Annotated[Asked[ColoredMap], Depends(_painted)]


async def _painted_layer(asked: AskedLayerMap, by: Painting) -> Asked[ColoredMap]:
    return Asked(asked.request, asked.store, painting(asked.request, asked.find, by))


AskedPaintedLayer = Annotated[Asked[ColoredMap], Depends(_painted_layer)]


async def _tile(grid: View, level: Place, column_of_tile: Place, row: Place) -> TilePlace:
    """Return a query's `column` says what to paint by."""
    return TilePlace(grid, level, column_of_tile, row)


PlaceOfTile = Annotated[TilePlace, Depends(_tile)]


def painting(
    request: Request, find: Callable[[ServedStore], Version[MapVersion]], asked: ColoringQuery
) -> Callable[[ServedStore], Version[ColoredMap]]:
    """Return the map with what it is painted by: its version is also that of the atlas that a region was drawn in."""

    def part(served: ServedStore) -> Version[ColoredMap]:
        found = find(served)
        drawn, digest, stamp = None, found.digest, found.stamp
        if asked.by == "region" and asked.region is not None:
            drawn = _drawn(request, served, asked, found.value)
            if drawn.shown is not found.value:
                digest = hashlib.sha256(f"{digest} {drawn.digest}".encode()).hexdigest()
                stamp = (*stamp, *drawn.shown.found.stamp)
        paint = Paint(asked.by, asked.column, asked.layer, asked.unit, asked.where, drawn)
        return Version(ColoredMap(found.value, paint), digest, stamp)

    return part


def _drawn(request: Request, served: ServedStore, asked: ColoringQuery, shown: MapVersion) -> Drawn:
    registry: Registry = request.app.state.registry
    there = served if asked.region_store in (None, served.name) else registry.get(asked.region_store).value
    if there is not served and asked.region_atlas is None:
        raise UsageError(
            "region_store needs region_atlas: the atlas of that store that the region was drawn in"
        )
    if there is served and asked.region_atlas in (None, shown.atlas.name):
        return Drawn(shown, asked.region_grid, asked.region or "")
    if shown.items.one != "image":
        raise UsageError(f"a map of {shown.items.one}s can only be painted by a region of its own")
    drawn_in = map_of(there, there.atlas(asked.region_atlas or shown.atlas.name))
    return Drawn(drawn_in, asked.region_grid, asked.region or "")
