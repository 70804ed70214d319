"""The API's overlays and regions of a layer's own atlases: what they are painted by, and what lies in a region."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from ...index.atlas.layer_atlas import LayerAtlas
from ..http.openapi import TABLE
from ..http.openapi import pictures as described
from ..http.responses import Content
from ..http.strict_params import StrictRoute
from ..params.atlas import AskedLayerAtlas, AskedLayerMap, AskedOfLayer, AtlasVersion, asked_of_layer
from ..params.common import Cursor, K, LayerName, Limit, Number, StoreName
from ..params.overlay import AskedPaintedLayer, PlaceOfTile
from ..params.region import GridOfRegion, Region, WhereOfItems
from ..queries import layer_regions, overlays
from ..queries import regions as region_questions
from ..queries.maps import map_of_layer
from ..queries.regions import Drawn
from ..schemas.atlases import Kind, ViewName
from ..schemas.overlays import ClustersAnswer, LegendAnswer, OverlaysAnswer, OverlayValueAnswer
from ..schemas.regions import (
    ExtentAnswer,
    LayerRegionAnswer,
    RegionUnitsAnswer,
    SamplesInRegionAnswer,
    UnitsInRegionAnswer,
)
from ..stores.versioned import Version

router = APIRouter(prefix="/api/v1/stores/{store}/layers/{layer:layer}/atlases", route_class=StrictRoute)


@router.get("/{kind}/overlays", response_model=OverlaysAnswer, responses=TABLE)
def layer_overlays(asked: AskedLayerMap) -> Response:
    """Return what a layer's atlas can be painted by."""
    return asked.answer(lambda _, shown: overlays.overlays(shown))


@router.get("/{kind}/overlays/legend", response_model=LegendAnswer, responses=TABLE)
def layer_overlay_legend(asked: AskedPaintedLayer) -> Response:
    """Return what the colours of an overlay mean."""
    return asked.answer(lambda _, one: overlays.legend(one.shown, one.paint))


@router.get("/{kind}/overlays/values/{item}", response_model=OverlayValueAnswer, responses=TABLE)
def layer_overlay_value(asked: AskedPaintedLayer, item: Number) -> Response:
    """Return what one unit or sample is painted by."""
    return asked.answer(lambda _, one: overlays.value(one.shown, one.paint, item))


@router.get(
    "/{kind}/overlays/{grid}/{level}/{column_of_tile}_{row}.png",
    response_class=Response,
    responses=described("image/png"),
)
def layer_overlay_tile(asked: AskedPaintedLayer, place: PlaceOfTile) -> Response:
    """Return a transparent piece of an overlay, over the tile of the same place; striped where a value is missing."""
    return asked.picture(lambda _, one: overlays.tile(one.shown, one.paint, place))


@router.get("/{kind}/clusters", response_model=ClustersAnswer, responses=TABLE)
def layer_clusters(asked: AskedLayerMap, *, grid: ViewName = "nearest") -> Response:
    """Return the clusters that some labels distinguish from the rest of the map: of units those that they fire most
    for.
    """
    return asked.answer(lambda _, shown: overlays.clusters(shown, grid))


@router.get("/{kind}/extent", response_model=ExtentAnswer, responses=TABLE)
def layer_extent(asked: AskedLayerMap, *, where: WhereOfItems, grid: ViewName = "nearest") -> Response:
    """Return where the units that a filter over their statistics keeps lie, or the samples of the images that it
    keeps.
    """
    return asked.answer(lambda _, shown: region_questions.extent(shown, grid, where))


@dataclass(frozen=True)
class AskedInLayerRegion:
    """A request about a region of a layer's atlas."""

    of_layer: AskedOfLayer
    kind: Kind
    grid: ViewName
    region: str

    def answer(self, make: Callable[[Drawn, Version[LayerAtlas]], Content]) -> Response:
        """Return what `make` says of the region."""
        return self.of_layer.answer_versioned(
            lambda served, found: make(
                Drawn(map_of_layer(served, found, self.kind), self.grid, self.region), found
            )
        )


async def _in_region(
    asked: AskedLayerAtlas, region: Region, grid: GridOfRegion = "nearest"
) -> AskedInLayerRegion:
    return AskedInLayerRegion(asked, asked.kind, grid, region)


async def _of_units(
    request: Request,
    store: StoreName,
    layer: LayerName,
    region: Region,
    grid: GridOfRegion = "nearest",
    v: AtlasVersion = None,
) -> AskedInLayerRegion:
    return AskedInLayerRegion(asked_of_layer(request, store, layer, "units", v), "units", grid, region)


async def _of_activations(
    request: Request,
    store: StoreName,
    layer: LayerName,
    region: Region,
    grid: GridOfRegion = "nearest",
    v: AtlasVersion = None,
) -> AskedInLayerRegion:
    asked = asked_of_layer(request, store, layer, "activations", v)
    return AskedInLayerRegion(asked, "activations", grid, region)


AskedLayerRegion = Annotated[AskedInLayerRegion, Depends(_in_region)]
AskedRegionOfUnits = Annotated[AskedInLayerRegion, Depends(_of_units)]
AskedRegionOfActivations = Annotated[AskedInLayerRegion, Depends(_of_activations)]


@router.get("/{kind}/region", response_model=LayerRegionAnswer, responses=TABLE)
def layer_region(asked: AskedLayerRegion) -> Response:
    """Return what is in a region of a layer's atlas, against the rest of the map."""
    return asked.answer(lambda drawn, found: layer_regions.region(drawn, found.value.layer, asked.kind))


@router.get("/units/region/units", response_model=UnitsInRegionAnswer, responses=TABLE)
def units_in_region(asked: AskedRegionOfUnits, *, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Return the units in a region of their map, a page at a time."""
    return asked.answer(
        lambda drawn, found: layer_regions.units_inside(drawn, found.value.layer, cursor=cursor, limit=limit)
    )


@router.get("/activations/region/samples", response_model=SamplesInRegionAnswer, responses=TABLE)
def samples_in_region(
    asked: AskedRegionOfActivations, *, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Return the samples in a region of an activation atlas, a page at a time."""
    return asked.answer(
        lambda drawn, found: layer_regions.samples_inside(drawn, found, cursor=cursor, limit=limit)
    )


@router.get("/activations/region/units", response_model=RegionUnitsAnswer, responses=TABLE)
def units_of_samples_in_region(asked: AskedRegionOfActivations, *, k: K = 20) -> Response:
    """Return the units of the layer whose activations in a region stand out most from those in the rest of the map."""
    return asked.answer(lambda drawn, found: layer_regions.characteristic(drawn, found.value, k=k))
