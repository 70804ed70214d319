"""Dependencies of routes: regions of a map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Response

from ..http.responses import Content
from ..queries.atlas.regions import REGION_PATTERN, Selection
from ..queries.atlas.served_atlas import ServedAtlas
from ..schemas.atlases import ViewName
from .atlas import AtlasParam, AtlasRequest

Region = Annotated[
    str,
    Query(
        max_length=8000,
        pattern=REGION_PATTERN,
        description="x,y;x,y;…: the corners of a polygon in cells from the grid's upper left corner, at least three",
    ),
]


@dataclass(frozen=True)
class RegionRequest:
    """A request about a region of an atlas."""

    atlas: AtlasRequest[ServedAtlas]
    grid: ViewName
    region: str

    def answer(self, make: Callable[[Selection], Content]) -> Response:
        """Return what `make` says of the region."""
        return self.atlas.answer(lambda shown: make(Selection(shown, self.grid, self.region)))


GridOfRegion = Annotated[ViewName, Query(description="the grid that the region is drawn in")]


async def _in_region(asked: AtlasParam, region: Region, grid: GridOfRegion = "nearest") -> RegionRequest:
    return RegionRequest(asked, grid, region)


RegionParam = Annotated[RegionRequest, Depends(_in_region)]


WhereOfItems = Annotated[str, Query(max_length=4000, description="a filter, such as: label = 'cat'")]
