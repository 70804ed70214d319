"""Errors, frame geometry and progress. Standard library only."""

from .errors import (
    DatasetError,
    DatasetNotAllowedError,
    FilterError,
    ImageError,
    ImageStatus,
    LayerError,
    ModelNotAllowedError,
    ModelSpecError,
    NotFoundError,
    StorageError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreNotFoundError,
    SweepError,
    UnitscopeError,
    UsageError,
)
from .frame import Frame
from .progress import Progress, Stage

__all__ = [
    "DatasetError",
    "DatasetNotAllowedError",
    "FilterError",
    "Frame",
    "ImageError",
    "ImageStatus",
    "LayerError",
    "ModelNotAllowedError",
    "ModelSpecError",
    "NotFoundError",
    "Progress",
    "Stage",
    "StorageError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreNotFoundError",
    "SweepError",
    "UnitscopeError",
    "UsageError",
]
