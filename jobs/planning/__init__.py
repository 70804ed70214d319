"""Planning a sweep: what it reads, which layers and images it sweeps, and what it would cost."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .config import SweepConfig
    from .plan import Plan, load_plan
else:
    __getattr__ = lazy(
        __name__,
        Plan="plan",
        SweepConfig="config",
        load_plan="plan",
    )

__all__ = [
    "Plan",
    "SweepConfig",
    "load_plan",
]
