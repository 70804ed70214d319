"""What the overlays and regions of a layer's own atlases are asked."""

from PIL import Image

from ..schemas.atlases import Kind, SampleAnswer, ViewName
from ..schemas.overlays import (
    ClusterAnswer,
    ClustersAnswer,
    LegendAnswer,
    OverlayRow,
    OverlaysAnswer,
    OverlayValueAnswer,
)
from ..schemas.regions import (
    ExtentAnswer,
    LayerRegionAnswer,
    RegionUnitAnswer,
    RegionUnitsAnswer,
    SamplesInRegionAnswer,
    UnitsInRegionAnswer,
)
from ..schemas.units import UnitAnswer
from .endpoint import Paged, asks, lists
from .exchange import Question
from .overlay_endpoints import Paint
from .requests import Corners, StorePath, corners_text, one, paged, picture, table
from .rows import Rows


class LayerOverlayQuestions(StorePath):
    """Part of what a store is asked. kind: `units` or `activations`. corners: as of a region of an atlas of images."""

    @asks
    def layer_overlays(self, layer: str, kind: Kind) -> Question[Rows[OverlaysAnswer, OverlayRow]]:
        """Return what a layer's atlas can be painted by."""
        return table(OverlaysAnswer, f"{self.layer_atlas_path(layer, kind)}/overlays")

    @asks
    def layer_legend(self, layer: str, kind: Kind, paint: Paint) -> Question[LegendAnswer]:
        """Return what the colours of an overlay mean."""
        address = f"{self.layer_atlas_path(layer, kind)}/overlays/legend"
        return one(LegendAnswer, address, **paint.parameters())

    @asks
    def layer_painted(self, layer: str, kind: Kind, item: int, paint: Paint) -> Question[OverlayValueAnswer]:
        """Return what one unit or sample is painted by."""
        address = f"{self.layer_atlas_path(layer, kind)}/overlays/values/{item}"
        return one(OverlayValueAnswer, address, **paint.parameters())

    @asks
    def layer_overlay_tile(
        self,
        layer: str,
        kind: Kind,
        grid: ViewName,
        level: int,
        paint: Paint,
        *,
        column: int = 0,
        row: int = 0,
    ) -> Question[Image.Image]:
        """Return a transparent piece of an overlay, which lies over the `layer_tile` of the same place."""
        address = f"{self.layer_atlas_path(layer, kind)}/overlays/{grid}/{level}/{column}_{row}.png"
        return picture(address, **paint.parameters())

    @asks
    def layer_clusters(
        self, layer: str, kind: Kind, *, grid: ViewName = "nearest"
    ) -> Question[Rows[ClustersAnswer, ClusterAnswer]]:
        """Return the clusters that some labels distinguish from the rest of the map, named by these."""
        return table(ClustersAnswer, f"{self.layer_atlas_path(layer, kind)}/clusters", grid=grid)

    @asks
    def layer_extent(
        self, layer: str, kind: Kind, where: str, *, grid: ViewName = "nearest"
    ) -> Question[ExtentAnswer]:
        """Return where the units lie that a filter over their statistics keeps, or the samples of the images that it
        keeps.
        """
        return one(ExtentAnswer, f"{self.layer_atlas_path(layer, kind)}/extent", where=where, grid=grid)

    @asks
    def layer_region(
        self, layer: str, kind: Kind, corners: Corners, *, grid: ViewName = "nearest"
    ) -> Question[LayerRegionAnswer]:
        """Return what is in a region of a layer's atlas, against the rest of the map."""
        address = f"{self.layer_atlas_path(layer, kind)}/region"
        return one(LayerRegionAnswer, address, region=corners_text(corners), grid=grid)

    @lists
    def units_in_region(
        self, layer: str, corners: Corners, *, grid: ViewName = "nearest"
    ) -> Paged[UnitsInRegionAnswer, UnitAnswer]:
        """Return the units in a region of their map, those nearest to its middle first."""
        address = f"{self.layer_atlas_path(layer, 'units')}/region/units"
        return paged(UnitsInRegionAnswer, address, region=corners_text(corners), grid=grid)

    @lists
    def samples_in_region(
        self, layer: str, corners: Corners, *, grid: ViewName = "nearest"
    ) -> Paged[SamplesInRegionAnswer, SampleAnswer]:
        """Return the samples in a region of an activation atlas, those nearest to its middle first."""
        address = f"{self.layer_atlas_path(layer, 'activations')}/region/samples"
        return paged(SamplesInRegionAnswer, address, region=corners_text(corners), grid=grid)

    @asks
    def units_of_samples_in_region(
        self, layer: str, corners: Corners, *, grid: ViewName = "nearest", k: int = 20
    ) -> Question[Rows[RegionUnitsAnswer, RegionUnitAnswer]]:
        """Return the units whose activations in a region of an activation atlas stand out most from those in the
        rest.
        """
        address = f"{self.layer_atlas_path(layer, 'activations')}/region/units"
        return table(RegionUnitsAnswer, address, region=corners_text(corners), grid=grid, k=k)
