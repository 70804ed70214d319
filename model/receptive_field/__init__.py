"""Receptive fields: which pixels a position can depend on, and which it does depend on."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .effective import LayerViews, measure_views
    from .receptive_field import ReceptiveField, UnitFields, receptive_fields, unit_fields
else:
    __getattr__ = lazy(
        __name__,
        LayerViews="effective",
        ReceptiveField="receptive_field",
        UnitFields="receptive_field",
        measure_views="effective",
        receptive_fields="receptive_field",
        unit_fields="receptive_field",
    )

__all__ = [
    "LayerViews",
    "ReceptiveField",
    "UnitFields",
    "measure_views",
    "receptive_fields",
    "unit_fields",
]
