"""The store's format: schemas, manifest, boxes, and how its Parquet files are written and read."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .manifest import Manifest
    from .schema import Branch, Geometry, LayerRow
else:
    __getattr__ = lazy(
        __name__,
        Branch="schema",
        Geometry="schema",
        LayerRow="schema",
        Manifest="manifest",
    )

__all__ = [
    "Branch",
    "Geometry",
    "LayerRow",
    "Manifest",
]
