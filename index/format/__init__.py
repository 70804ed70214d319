"""The store's format: schemas, manifest, boxes, and how its Parquet files are written and read."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .layer_row import Branch, Geometry, LayerRow
    from .manifest import Manifest
else:
    __getattr__ = lazy(
        __name__,
        Branch="layer_row",
        Geometry="layer_row",
        LayerRow="layer_row",
        Manifest="manifest",
    )

__all__ = [
    "Branch",
    "Geometry",
    "LayerRow",
    "Manifest",
]
