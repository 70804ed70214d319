"""The API's regions of an atlas: which images lie in one, and what sets them apart; and where some images lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ..http.responses import Content, answer_from
from ..http.strict_params import StrictRoute
from ..params.atlas import Asked, AskedMap
from ..params.common import MAX_LAYER, TABLE, Cursor, K, Limit, Number, StoreName
from ..queries import regions as questions
from ..queries.maps import ShownMap
from ..queries.regions import REGION_PATTERN, Drawn
from ..schemas.atlases import ViewName
from ..schemas.regions import (
    CounterpartAnswer,
    ExtentAnswer,
    RegionAnswer,
    RegionImagesAnswer,
    RegionUnitsAnswer,
)
from ..stores.registry import Registry, ServedStore
from ..stores.versioned import Version

router = APIRouter(prefix="/api/v1/stores", route_class=StrictRoute)

Region = Annotated[
    str,
    Query(
        max_length=8000,
        pattern=REGION_PATTERN,
        description="x,y;x,y;…: the corners of a polygon in cells from the grid's upper left corner, at least three",
    ),
]


@dataclass(frozen=True)
class AskedInRegion:
    """A request about a region of an atlas."""

    shown: Asked[ShownMap]
    grid: ViewName
    region: str

    def answer(self, make: Callable[[Drawn], Content]) -> Response:
        """What `make` says of the region."""
        return self.shown.answer(lambda _, shown: make(Drawn(shown, self.grid, self.region)))


GridOfRegion = Annotated[ViewName, Query(description="the grid that the region is drawn in")]


async def _in_region(asked: AskedMap, region: Region, grid: GridOfRegion = "nearest") -> AskedInRegion:
    return AskedInRegion(asked, grid, region)


AskedRegion = Annotated[AskedInRegion, Depends(_in_region)]
WhereOfItems = Annotated[str, Query(max_length=4000, description="a filter, such as: label = 'cat'")]


@router.get("/{store}/atlases/{atlas}/region", response_model=RegionAnswer, responses=TABLE)
def region(asked: AskedRegion) -> Response:
    """How many images lie in a region, and of which classes, against the rest of the map."""
    return asked.answer(questions.region)


@router.get("/{store}/atlases/{atlas}/region/images", response_model=RegionImagesAnswer, responses=TABLE)
def region_images(asked: AskedRegion, *, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """The images of a region, a page at a time."""
    return asked.answer(lambda drawn: questions.region_images(drawn, cursor=cursor, limit=limit))


@router.get("/{store}/atlases/{atlas}/region/units", response_model=RegionUnitsAnswer, responses=TABLE)
def region_units(
    asked: AskedRegion,
    *,
    layer: Annotated[str | None, Query(max_length=MAX_LAYER, description="default: all layers")] = None,
    k: K = 20,
) -> Response:
    """The units whose maxima in a region stand out most from those of all other images."""
    return asked.answer(lambda drawn: questions.units(drawn, layer=layer, k=k))


@router.get("/{store}/atlases/{atlas}/extent", response_model=ExtentAnswer, responses=TABLE)
def extent(
    asked: AskedMap,
    *,
    where: WhereOfItems,
    grid: ViewName = "nearest",
) -> Response:
    """Where the images that a filter keeps lie."""
    return asked.answer(lambda _, shown: questions.extent(shown, grid, where))


@router.get("/{store}/images/{image_id}/counterpart", response_model=CounterpartAnswer, responses=TABLE)
def counterpart(
    request: Request,
    store: StoreName,
    image_id: Number,
    other: Annotated[str, Query(max_length=300, description="another store, as /api/v1/stores lists them")],
) -> Response:
    """The same image, by its uri, in another store of this service."""
    registry: Registry = request.app.state.registry

    def part(served: ServedStore) -> Version[ServedStore]:
        there = served if other == served.name else registry.get(other).value
        return Version(there, there.hash, (there.hash,))

    return answer_from(
        request,
        store,
        part,
        lambda served, there: questions.counterpart(served, image_id, there),
    )
