"""What the atlases of a store are asked."""

from PIL import Image

from ..schemas.atlases import (
    AtlasAnswer,
    AtlasesAnswer,
    AtlasRow,
    CellAnswer,
    CellAtAnswer,
    GridAnswer,
    TilesAnswer,
    ViewName,
    WhereAnswer,
)
from .endpoint import asks
from .exchange import Parameter, Question
from .requests import StorePath, one, picture, table
from .rows import Rows


class AtlasQuestions(StorePath):
    """Part of what a store is asked."""

    @asks
    def atlases(self) -> Question[Rows[AtlasesAnswer, AtlasRow]]:
        """Return the finished atlases."""
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
        """Return a window of an atlas's grid: one image for each cell of the map."""
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
    def where(self, name: str, image_id: int) -> Question[WhereAnswer]:
        """Return where an image is on the map."""
        return one(WhereAnswer, f"{self.atlas_path(name)}/where", image=image_id)
