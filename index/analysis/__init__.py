"""Compute from a finished store on demand: classes, histograms, correlations, similar units."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .analysis import Analysis
    from .classes import ClassRow, Confusion
    from .correlations import Correlations, correlate
    from .image_units import ImageUnit
    from .similar_units import Similar
    from .units import LayerUnits, UnitClass, UnitQuery
else:
    __getattr__ = lazy(
        __name__,
        Analysis="analysis",
        ClassRow="classes",
        Confusion="classes",
        Correlations="correlations",
        ImageUnit="image_units",
        LayerUnits="units",
        Similar="similar_units",
        UnitClass="units",
        UnitQuery="units",
        correlate="correlations",
    )

__all__ = [
    "Analysis",
    "ClassRow",
    "Confusion",
    "Correlations",
    "ImageUnit",
    "LayerUnits",
    "Similar",
    "UnitClass",
    "UnitQuery",
    "correlate",
]
