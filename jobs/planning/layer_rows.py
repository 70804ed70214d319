"""Makes the rows of layers.parquet from what was measured of the network's layers."""

from typing import Any

import numpy as np

from ...index.format.layer_row import VECTOR, Branch, LayerRow
from ...model.layers.layers import Layer
from ...model.receptive_field.effective import LayerViews
from ...model.receptive_field.effective_windows import View
from ...model.receptive_field.receptive_field import ReceptiveField, UnitFields


def layer_row(layer: Layer, fields: UnitFields, views: LayerViews) -> LayerRow:
    """Return the row of a layer, with a branch for each kind of unit where units see different things."""
    branches = tuple(
        Branch(**_geometry(layer, field, view), units=tuple(np.flatnonzero(fields.branch == number).tolist()))
        for number, (field, view) in enumerate(zip(fields.branches, views.branches, strict=True))
    )
    return LayerRow(
        layer=layer.name,
        kind=layer.kind,
        units=layer.units,
        height=layer.height,
        width=layer.width,
        **_geometry(layer, fields.whole, views.whole),
        branches=branches,
    )


def _geometry(layer: Layer, field: ReceptiveField, view: View) -> dict[str, Any]:
    """Return the columns of `Geometry`."""
    has_grid = layer.kind != VECTOR
    return {
        "rf_height": field.height,
        "rf_width": field.width,
        "stride_y": field.stride_y,
        "stride_x": field.stride_x,
        "start_y": field.start_y,
        "start_x": field.start_x,
        "local_rf_height": field.local_height,
        "local_rf_width": field.local_width,
        "view_height": view.height,
        "view_width": view.width,
        "view_y0": view.rows if has_grid else (),
        "view_x0": view.columns if has_grid else (),
    }
