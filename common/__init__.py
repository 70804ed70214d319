"""Errors, frame geometry and progress. Standard library only."""

from typing import TYPE_CHECKING

from .lazy import lazy

if TYPE_CHECKING:
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
else:
    __getattr__ = lazy(
        __name__,
        DatasetError="errors",
        DatasetNotAllowedError="errors",
        FilterError="errors",
        Frame="frame",
        ImageError="errors",
        ImageStatus="errors",
        LayerError="errors",
        ModelNotAllowedError="errors",
        ModelSpecError="errors",
        NotFoundError="errors",
        Progress="progress",
        Stage="progress",
        StorageError="errors",
        StoreBusyError="errors",
        StoreDamagedError="errors",
        StoreError="errors",
        StoreNotFoundError="errors",
        SweepError="errors",
        UnitscopeError="errors",
        UsageError="errors",
    )

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
