"""Sweeping: shards of images through a network, merged into a finished store."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .estimate import Estimate
    from .run import SweepReport, sweep
else:
    __getattr__ = lazy(
        __name__,
        Estimate="estimate",
        SweepReport="run",
        sweep="run",
    )

__all__ = [
    "Estimate",
    "SweepReport",
    "sweep",
]
