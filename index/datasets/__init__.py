"""Image datasets: folders, Parquet files and tar files, listed and read in one way."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .base import Dataset
    from .open import open_dataset
    from .options import DatasetOptions
    from .selection import expand
else:
    __getattr__ = lazy(
        __name__,
        Dataset="base",
        DatasetOptions="options",
        expand="selection",
        open_dataset="open",
    )

__all__ = [
    "Dataset",
    "DatasetOptions",
    "expand",
    "open_dataset",
]
