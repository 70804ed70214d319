"""Projections of features to the plane (UMAP, t-SNE, PCA), and their grids."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .grid import assigned_grid, nearest_grid
    from .projection import Layout, MapOptions, project
    from .quality import Quality, measure_quality
else:
    __getattr__ = lazy(
        __name__,
        Layout="projection",
        MapOptions="projection",
        Quality="quality",
        assigned_grid="grid",
        measure_quality="quality",
        nearest_grid="grid",
        project="projection",
    )

__all__ = [
    "Layout",
    "MapOptions",
    "Quality",
    "assigned_grid",
    "measure_quality",
    "nearest_grid",
    "project",
]
