"""Readers of a finished store: images, layers, units, patches, maxima, features and thumbnails."""

from .features import FeatureBlock
from .store import Store
from .summaries import StrongUnit
from .trust import ModelSource, Trust
from .units import Patch, UnitRow

__all__ = [
    "FeatureBlock",
    "ModelSource",
    "Patch",
    "Store",
    "StrongUnit",
    "Trust",
    "UnitRow",
]
