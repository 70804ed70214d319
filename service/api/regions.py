"""The API's regions of an atlas: which images lie in one, and what sets them apart; and where some images lie."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..answers.atlases import ViewName
from ..answers.regions import (
    CounterpartAnswer,
    ExtentAnswer,
    RegionAnswer,
    RegionImagesAnswer,
    RegionUnitsAnswer,
)
from ..fresh import Version
from ..http.answering import answer_from
from ..questions import regions as region_questions
from ..questions.regions import REGION_PATTERN, Drawn
from ..questions.tiles import atlas_of
from ..registry import Registry, ServedStore
from .parameters import TABLE, AtlasName, Cursor, K, Limit, Number, StoreName
from .tiles import AtlasVersion

router = APIRouter(prefix="/api/v1/stores")

Region = Annotated[
    str,
    Query(
        max_length=8000,
        pattern=REGION_PATTERN,
        description="x,y;x,y;…: the corners of a polygon in cells from the grid's upper left corner, at least three",
    ),
]
InGrid = Annotated[ViewName, Query(description="the grid that the region is drawn in")]


@router.get("/{store}/atlases/{atlas}/region", response_model=RegionAnswer, responses=TABLE)
def region(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    region: Region,
    grid: InGrid = "nearest",
    v: AtlasVersion = None,
) -> Response:
    """How many images lie in a region, and of which classes, against the rest of the map."""
    return answer_from(
        request, store, drawn(atlas, grid, region, v), lambda _, found: region_questions.region(found)
    )


@router.get("/{store}/atlases/{atlas}/region/images", response_model=RegionImagesAnswer, responses=TABLE)
def region_images(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    region: Region,
    grid: InGrid = "nearest",
    cursor: Cursor = None,
    limit: Limit = 100,
    v: AtlasVersion = None,
) -> Response:
    """The images of a region, a page at a time."""
    return answer_from(
        request,
        store,
        drawn(atlas, grid, region, v),
        lambda _, found: region_questions.region_images(found, cursor=cursor, limit=limit),
    )


@router.get("/{store}/atlases/{atlas}/region/units", response_model=RegionUnitsAnswer, responses=TABLE)
def region_units(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    region: Region,
    grid: InGrid = "nearest",
    layer: Annotated[str | None, Query(max_length=300, description="default: all layers")] = None,
    k: K = 20,
    v: AtlasVersion = None,
) -> Response:
    """The units whose maxima in a region stand out most from those of all other images."""
    return answer_from(
        request,
        store,
        drawn(atlas, grid, region, v),
        lambda _, found: region_questions.units(found, layer=layer, k=k),
    )


@router.get("/{store}/atlases/{atlas}/extent", response_model=ExtentAnswer, responses=TABLE)
def extent(
    request: Request,
    store: StoreName,
    atlas: AtlasName,
    *,
    where: Annotated[str, Query(max_length=4000, description="a filter, such as: label = 'cat'")],
    grid: ViewName = "nearest",
    v: AtlasVersion = None,
) -> Response:
    """Where the images that a filter keeps lie."""
    return answer_from(
        request,
        store,
        drawn(atlas, grid, "", v),
        lambda served, found: region_questions.extent(served, found.found, grid, where),
    )


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
        lambda served, there: region_questions.counterpart(served, image_id, there),
    )


def drawn(atlas: str, grid: ViewName, region: str, v: str | None) -> Callable[[ServedStore], Version[Drawn]]:
    """A region in one version of an atlas."""

    def part(served: ServedStore) -> Version[Drawn]:
        found = atlas_of(served, atlas, v)
        return Version(Drawn(served, found, grid, region), found.digest, found.stamp)

    return part
