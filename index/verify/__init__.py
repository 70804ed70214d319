"""Verification of a store and of what was built from it, against the hashes in their manifests."""

from .derived import check_built
from .verify import Problem, Report, verify

__all__ = [
    "Problem",
    "Report",
    "check_built",
    "verify",
]
