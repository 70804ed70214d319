"""What the atlases of a store are asked: their cells and tiles, overlays, and regions."""

from dataclasses import dataclass

from PIL import Image

from ..schemas.atlases import (
    AtlasAnswer,
    AtlasesAnswer,
    AtlasRow,
    CellAnswer,
    CellAtAnswer,
    GridAnswer,
    SampleAnswer,
    TilesAnswer,
    ViewName,
    WhereAnswer,
)
from ..schemas.images import ListedImageAnswer
from ..schemas.overlays import (
    ClusterAnswer,
    ClustersAnswer,
    ColorBy,
    LegendAnswer,
    OverlayRow,
    OverlaysAnswer,
    OverlayValueAnswer,
)
from ..schemas.regions import (
    ExtentAnswer,
    ImagesInRegionAnswer,
    ItemsInRegionAnswer,
    RegionAnswer,
    RegionUnitAnswer,
    RegionUnitsAnswer,
    SamplesInRegionAnswer,
    UnitsInRegionAnswer,
)
from ..schemas.units import UnitAnswer
from .endpoint import Paged, asks, lists
from .exchange import Parameter, Question
from .requests import Corners, StorePath, corners_text, one, paged, picture, table
from .rows import Rows

Item = ListedImageAnswer | UnitAnswer | SampleAnswer


@dataclass(frozen=True)
class Coloring:
    """What an atlas is colored by: `Coloring("unit", layer="block", unit=17)`, `Coloring("column", column="loss")`.

    where: with `where`, a filter. region: with `region`, its corners in the view `region_grid` of `region_atlas` of
    `region_store`; by default of the atlas that is colored.
    """

    by: ColorBy
    column: str | None = None
    layer: str | None = None
    unit: int | None = None
    where: str | None = None
    region: Corners | None = None
    region_grid: ViewName | None = None
    region_atlas: str | None = None
    region_store: str | None = None

    def parameters(self) -> dict[str, Parameter]:
        """Return it as addresses hold it."""
        return vars(self) | {"region": None if self.region is None else corners_text(self.region)}


class AtlasQuestions(StorePath):
    """Part of what a store is asked.

    name: of an atlas of the images, such as `umap`, or `units:LAYER` or `activations:LAYER`. item: an image_id, a unit
    or a sample, by what the atlas maps. corners: of a polygon, in cells of the view `grid`.
    """

    @asks
    def atlases(self) -> Question[Rows[AtlasesAnswer, AtlasRow]]:
        """Return the finished atlases: those of the images, then those of each layer."""
        return table(AtlasesAnswer, f"{self.path}/atlases")

    @asks
    def atlas(self, name: str) -> Question[AtlasAnswer]:
        """Return how an atlas was made, and how good it is."""
        return one(AtlasAnswer, self.atlas_path(name))

    @asks
    def grid(
        self,
        name: str,
        *,
        row: int | None = None,
        column: int | None = None,
        rows: int | None = None,
        columns: int | None = None,
    ) -> Question[Rows[GridAnswer, CellAnswer]]:
        """Return a window of an atlas's grid: one item for each cell of the map."""
        window: dict[str, Parameter] = {"row": row, "column": column, "rows": rows, "columns": columns}
        return table(GridAnswer, f"{self.atlas_path(name)}/grid", **window)

    @asks
    def tiles(self, name: str, grid: ViewName) -> Question[TilesAnswer]:
        """Return how a view of an atlas is cut into tiles, at how many sizes."""
        return one(TilesAnswer, f"{self.atlas_path(name)}/tiles/{grid}")

    @asks
    def tile(
        self, name: str, grid: ViewName, level: int, *, column: int = 0, row: int = 0
    ) -> Question[Image.Image]:
        """Return a piece of a view; level 0 is the whole in one tile."""
        return picture(f"{self.atlas_path(name)}/tiles/{grid}/{level}/{column}_{row}.jpg")

    @asks
    def at(
        self, name: str, x: float, y: float, *, grid: ViewName = "nearest", level: int | None = None
    ) -> Question[CellAtAnswer]:
        """Return what a view shows at a place. x, y: in cells from its upper left corner. level: of the scatter."""
        return one(CellAtAnswer, f"{self.atlas_path(name)}/at", x=x, y=y, grid=grid, level=level)

    @asks
    def where(self, name: str, item: int) -> Question[WhereAnswer]:
        """Return where an item is on the map."""
        return one(WhereAnswer, f"{self.atlas_path(name)}/where", item=item)

    @asks
    def sample_picture(self, name: str, sample: int) -> Question[Image.Image]:
        """Return what the position of a sample of an activation atlas sees."""
        return picture(f"{self.atlas_path(name)}/samples/{sample}/picture")

    # Overlays

    @asks
    def overlays(self, name: str) -> Question[Rows[OverlaysAnswer, OverlayRow]]:
        """Return what an atlas can be colored by."""
        return table(OverlaysAnswer, f"{self.atlas_path(name)}/overlays")

    @asks
    def legend(self, name: str, coloring: Coloring) -> Question[LegendAnswer]:
        """Return what the colors of an overlay mean."""
        return one(LegendAnswer, f"{self.atlas_path(name)}/overlays/legend", **coloring.parameters())

    @asks
    def overlay_value(self, name: str, item: int, coloring: Coloring) -> Question[OverlayValueAnswer]:
        """Return what one item is colored by."""
        address = f"{self.atlas_path(name)}/overlays/values/{item}"
        return one(OverlayValueAnswer, address, **coloring.parameters())

    @asks
    def overlay_tile(
        self, name: str, grid: ViewName, level: int, coloring: Coloring, *, column: int = 0, row: int = 0
    ) -> Question[Image.Image]:
        """Return a transparent piece of an overlay, which lies over the `tile` of the same place."""
        address = f"{self.atlas_path(name)}/overlays/{grid}/{level}/{column}_{row}.png"
        return picture(address, **coloring.parameters())

    @asks
    def clusters(
        self, name: str, *, grid: ViewName = "nearest"
    ) -> Question[Rows[ClustersAnswer, ClusterAnswer]]:
        """Return the clusters that some labels distinguish from the rest of the map, named by these."""
        return table(ClustersAnswer, f"{self.atlas_path(name)}/clusters", grid=grid)

    # Regions

    @asks
    def region(self, name: str, corners: Corners, *, grid: ViewName = "nearest") -> Question[RegionAnswer]:
        """Return how many items lie in a region of an atlas, and of which classes, against the rest of the map."""
        return one(RegionAnswer, f"{self.atlas_path(name)}/region", region=corners_text(corners), grid=grid)

    @lists
    def region_items(
        self, name: str, corners: Corners, *, grid: ViewName = "nearest"
    ) -> Paged[ItemsInRegionAnswer, Item]:
        """Return the images, units or samples of a region, those nearest to its middle first."""
        kind = name.partition(":")[0] if ":" in name else "images"
        address = f"{self.atlas_path(name)}/region/items"
        return paged(
            _IN_REGION.get(kind, ImagesInRegionAnswer), address, region=corners_text(corners), grid=grid
        )

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
        """Return the units that stand out most in a region: of images by their maxima, of samples by their
        activations.
        """
        address = f"{self.atlas_path(name)}/region/units"
        return table(RegionUnitsAnswer, address, region=corners_text(corners), grid=grid, layer=layer, k=k)

    @asks
    def extent(self, name: str, where: str, *, grid: ViewName = "nearest") -> Question[ExtentAnswer]:
        """Return where the items that a filter keeps lie: a filter over the images, or over the statistics of units."""
        return one(ExtentAnswer, f"{self.atlas_path(name)}/extent", where=where, grid=grid)


_IN_REGION: dict[str, type[ItemsInRegionAnswer]] = {
    "images": ImagesInRegionAnswer,
    "units": UnitsInRegionAnswer,
    "activations": SamplesInRegionAnswer,
}
