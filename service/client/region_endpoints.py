"""What the regions of an atlas are asked: which images lie in one, and what sets them apart; and where some lie."""

from ..schemas.atlases import ViewName
from ..schemas.images import ListedImageAnswer
from ..schemas.regions import (
    CounterpartAnswer,
    ExtentAnswer,
    RegionAnswer,
    RegionImagesAnswer,
    RegionUnitAnswer,
    RegionUnitsAnswer,
)
from .endpoint import Paged, asks, lists
from .exchange import Question
from .requests import Corners, StorePath, corners_text, one, paged, table
from .rows import Rows


class RegionQuestions(StorePath):
    """Part of what a store is asked. corners: of a polygon, in cells of the view `grid`."""

    @asks
    def region(self, name: str, corners: Corners, *, grid: ViewName = "nearest") -> Question[RegionAnswer]:
        """Return how many images lie in a region of an atlas, and of which classes, against the rest of the map."""
        return one(RegionAnswer, f"{self.atlas_path(name)}/region", region=corners_text(corners), grid=grid)

    @lists
    def region_images(
        self, name: str, corners: Corners, *, grid: ViewName = "nearest"
    ) -> Paged[RegionImagesAnswer, ListedImageAnswer]:
        """Return the images of a region, those nearest to its middle first."""
        address = f"{self.atlas_path(name)}/region/images"
        return paged(RegionImagesAnswer, address, region=corners_text(corners), grid=grid)

    @asks
    def region_units(
        self,
        name: str,
        corners: Corners,
        *,
        grid: ViewName = "nearest",
        layer: str | None = None,
        k: int = 20,
    ) -> Question[Rows[RegionUnitsAnswer, RegionUnitAnswer]]:
        """Return the units whose maxima in a region stand out most from those of all other images."""
        address = f"{self.atlas_path(name)}/region/units"
        return table(RegionUnitsAnswer, address, region=corners_text(corners), grid=grid, layer=layer, k=k)

    @asks
    def extent(self, name: str, where: str, *, grid: ViewName = "nearest") -> Question[ExtentAnswer]:
        """Return where the images that a filter keeps lie on the map."""
        return one(ExtentAnswer, f"{self.atlas_path(name)}/extent", where=where, grid=grid)

    @asks
    def counterpart(self, image_id: int, other: str) -> Question[CounterpartAnswer]:
        """Return the same image, by its uri, in another store of the service."""
        return one(CounterpartAnswer, f"{self.image_path(image_id)}/counterpart", other=other)
