"""Which units of a layer are asked for, and in which order."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .units import LayerUnits

UnitSort = Literal["unit", "max", "mean", "std", "min", "active", "selectivity"]


@dataclass(frozen=True)
class UnitQuery:
    """dead: no image with a maximum above 0. min_active, max_active: shares. label: that the unit fires most for.

    A unit without a value fails every condition on it. descending: None for the order that is useful: by number from
    the lowest, by anything else from the largest.
    """

    sort: UnitSort = "unit"
    descending: bool | None = None
    dead: bool | None = None
    min_active: float | None = None
    max_active: float | None = None
    min_selectivity: float | None = None
    label: str | None = None


def choose(units: LayerUnits, query: UnitQuery) -> np.ndarray:
    """Return (n,) int64: units, by what is asked; those without a value last, equal ones by number."""
    active, selectivity = units.values["active"], units.values["selectivity"]
    kept = np.ones(len(active), bool)
    if query.dead is not None:
        kept &= active == 0 if query.dead else active > 0
    if query.min_active is not None:
        kept &= active >= query.min_active
    if query.max_active is not None:
        kept &= active <= query.max_active
    if query.min_selectivity is not None:
        kept &= selectivity >= query.min_selectivity
    if query.label is not None:
        kept &= np.array([label == query.label for label in units.labels], bool)
    found = np.flatnonzero(kept)
    descending = query.sort != "unit" if query.descending is None else query.descending
    if query.sort == "unit":
        return found[::-1] if descending else found
    values = units.values[query.sort][found]
    return found[np.argsort(-values if descending else values, kind="stable")]
