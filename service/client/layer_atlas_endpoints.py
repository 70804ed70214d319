"""What a layer's own atlases are asked: that of its units, and that of its activations at single positions."""

from PIL import Image

from ..schemas.atlases import ItemPlacesAnswer, Kind, LayerAtlasAnswer, LayerCellAnswer, TilesAnswer, ViewName
from .endpoint import asks
from .exchange import Question
from .requests import StorePath, one, picture


class LayerAtlasQuestions(StorePath):
    """Part of what a store is asked. kind: `units` or `activations`."""

    @asks
    def layer_atlas(self, layer: str, kind: Kind) -> Question[LayerAtlasAnswer]:
        """Return how a layer's atlas was made, and how good it is."""
        return one(LayerAtlasAnswer, self.layer_atlas_path(layer, kind))

    @asks
    def layer_tiles(self, layer: str, kind: Kind, grid: ViewName) -> Question[TilesAnswer]:
        """Return how a view of it is cut into tiles, at how many sizes."""
        return one(TilesAnswer, f"{self.layer_atlas_path(layer, kind)}/tiles/{grid}")

    @asks
    def layer_tile(
        self, layer: str, kind: Kind, grid: ViewName, level: int, *, column: int = 0, row: int = 0
    ) -> Question[Image.Image]:
        """Return a piece of a view; level 0 is the whole in one tile."""
        return picture(f"{self.layer_atlas_path(layer, kind)}/tiles/{grid}/{level}/{column}_{row}.jpg")

    @asks
    def layer_at(
        self,
        layer: str,
        kind: Kind,
        x: float,
        y: float,
        *,
        grid: ViewName = "nearest",
        level: int | None = None,
    ) -> Question[LayerCellAnswer]:
        """Return the unit, or the sample and the mean of its cell, at a place. x, y: in cells from the upper left
        corner.
        """
        address = f"{self.layer_atlas_path(layer, kind)}/at"
        return one(LayerCellAnswer, address, x=x, y=y, grid=grid, level=level)

    @asks
    def layer_where(self, layer: str, kind: Kind, item: int) -> Question[ItemPlacesAnswer]:
        """Return where a unit or a sample is on the map."""
        return one(ItemPlacesAnswer, f"{self.layer_atlas_path(layer, kind)}/where", item=item)

    @asks
    def sample_picture(self, layer: str, sample: int) -> Question[Image.Image]:
        """Return what the position of a sample of the activation atlas sees."""
        return picture(f"{self.layer_atlas_path(layer, 'activations')}/samples/{sample}/picture")
