"""A row of layers.parquet: a layer, and what its positions see."""

from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa

VECTOR = "vector"
"""The kind of layer that has no positions."""


@dataclass(frozen=True)
class Geometry:
    """What the positions of a grid see. Lengths are pixels of the model's input.

    Position (y, x) can see rows start_y + y * stride_y … + rf_height - 1, and columns alike, not clipped. It does see
    the view: rows view_y0[y] … + view_height - 1 and columns view_x0[x] … + view_width - 1. Stores of older releases,
    and vectors, have no view_y0 and view_x0: there the view lies around the centre of what a position can see.
    """

    rf_height: int
    rf_width: int
    stride_y: int
    stride_x: int
    start_y: int
    start_x: int
    local_rf_height: int
    local_rf_width: int
    view_height: int
    view_width: int
    view_y0: tuple[int, ...] = field(default=(), kw_only=True)
    view_x0: tuple[int, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "view_y0", tuple(self.view_y0 or ()))
        object.__setattr__(self, "view_x0", tuple(self.view_x0 or ()))


@dataclass(frozen=True)
class Branch(Geometry):
    """What some units of a layer see, where the layer concatenates branches that see different things.

    units: the units' numbers, ascending.
    """

    units: tuple[int, ...] = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "units", tuple(self.units))


@dataclass(frozen=True)
class LayerRow:
    """One row of layers.parquet: see `Geometry` for what its positions see.

    branches: of a layer whose units see different things, what each sees, every unit in one of them; else empty.
    """

    layer: str
    kind: str
    units: int
    height: int
    width: int
    rf_height: int
    rf_width: int
    stride_y: int
    stride_x: int
    start_y: int
    start_x: int
    local_rf_height: int
    local_rf_width: int
    view_height: int
    view_width: int
    view_y0: tuple[int, ...] = ()
    view_x0: tuple[int, ...] = ()
    branches: tuple[Branch, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "view_y0", tuple(self.view_y0 or ()))
        object.__setattr__(self, "view_x0", tuple(self.view_x0 or ()))
        given: Any = self.branches or ()  # as read from a file, dicts
        made = tuple(Branch(**one) if isinstance(one, dict) else one for one in given)
        object.__setattr__(self, "branches", made)

    @property
    def geometry(self) -> Geometry:
        """Return what the layer's positions see, all units together."""
        return Geometry(**{column.name: getattr(self, column.name) for column in fields(Geometry)})

    def geometry_of(self, unit: int) -> Geometry:
        """Return what the positions of a unit see: of its own branch, where the layer has branches."""
        return next((branch for branch in self.branches if unit in branch.units), self.geometry)

    @property
    def has_positions(self) -> bool:
        return self.kind != VECTOR

    @property
    def position_type(self) -> pa.DataType:
        """The type of a flat position y * width + x."""
        return pa.uint16() if self.height * self.width <= 2**16 else pa.uint32()
