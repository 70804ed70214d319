"""What an atlas's overlays are asked: what it can be painted by, what the colours mean, the colours themselves."""

from dataclasses import dataclass

from PIL import Image

from ..schemas.atlases import ViewName
from ..schemas.overlays import (
    ClusterAnswer,
    ClustersAnswer,
    LegendAnswer,
    OverlayRow,
    OverlaysAnswer,
    OverlayValueAnswer,
    PaintedBy,
)
from .endpoint import asks
from .exchange import Parameter, Question
from .requests import Corners, StorePath, corners_text, one, picture, table
from .rows import Rows


@dataclass(frozen=True)
class Paint:
    """What an atlas is painted by: `Paint("unit", layer="features.10", unit=17)`, `Paint("column", column="loss")`.

    where: with `where`, a filter. region: with `region`, its corners in the view `region_grid` of `region_atlas` of
    `region_store`; by default of the atlas that is painted.
    """

    by: PaintedBy
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


class OverlayQuestions(StorePath):
    """Part of what a store is asked."""

    @asks
    def overlays(self, name: str) -> Question[Rows[OverlaysAnswer, OverlayRow]]:
        """Return what an atlas can be painted by."""
        return table(OverlaysAnswer, f"{self.atlas_path(name)}/overlays")

    @asks
    def legend(self, name: str, paint: Paint) -> Question[LegendAnswer]:
        """Return what the colours of an overlay mean."""
        return one(LegendAnswer, f"{self.atlas_path(name)}/overlays/legend", **paint.parameters())

    @asks
    def painted(self, name: str, image_id: int, paint: Paint) -> Question[OverlayValueAnswer]:
        """Return what one image is painted by."""
        address = f"{self.atlas_path(name)}/overlays/values/{image_id}"
        return one(OverlayValueAnswer, address, **paint.parameters())

    @asks
    def overlay_tile(
        self, name: str, grid: ViewName, level: int, paint: Paint, *, column: int = 0, row: int = 0
    ) -> Question[Image.Image]:
        """Return a transparent piece of an overlay, which lies over the `tile` of the same place."""
        address = f"{self.atlas_path(name)}/overlays/{grid}/{level}/{column}_{row}.png"
        return picture(address, **paint.parameters())

    @asks
    def clusters(
        self, name: str, *, grid: ViewName = "nearest"
    ) -> Question[Rows[ClustersAnswer, ClusterAnswer]]:
        """Return the clusters that some labels distinguish from the rest of the map, named by these."""
        return table(ClustersAnswer, f"{self.atlas_path(name)}/clusters", grid=grid)
