"""Statistics and top-k that merge in any order; pure functions of arrays."""

from .distribution import Distribution, Histogram
from .moments import Statistics
from .topk import TopK

__all__ = [
    "Distribution",
    "Histogram",
    "Statistics",
    "TopK",
]
