"""Filters as pictures: a cell for each unit where they read the image, else for each channel that one unit reads."""

import math
from dataclasses import asdict, dataclass
from urllib.parse import quote

import numpy as np

from ...common.errors import UsageError
from ..live.mosaics import draw, mosaic_of, png
from ..live.protocol import Head
from ..schemas.live import FiltersAnswer, FilterScale, MosaicAnswer
from ..stores.registry import ServedStore
from ..stores.urls import address, version
from ..stores.versioned import Picture
from .live import Live, check_unit
from .pixels import PNG
from .stores import provenance_of

_CELL = 24
"""Without `zoom`, small filters are enlarged to about this many pixels."""


@dataclass(frozen=True)
class FilterView:
    """Which filters, and how they are shown. unit: None for all. zoom: None for what makes small ones visible."""

    layer: str
    unit: int | None = None
    scale: FilterScale = "filter"
    zoom: int | None = None


@dataclass(frozen=True)
class _Cells:
    """cells: (n, height, width[, 3]) float32. magnitude: (n,), what each is divided by."""

    cells: np.ndarray
    magnitude: np.ndarray
    facts: Head
    shape: tuple[int, int, int, int]
    zoom: int


def describe_filters(live: Live, served: ServedStore, view: FilterView) -> FiltersAnswer:
    """Return what the picture shows. Raises LayerError, UsageError, UnitscopeError for a layer without filters."""
    found = _cells(live, served, view)
    units, channels, height, width = found.shape
    asked = {"unit": view.unit, "scale": view.scale, "zoom": found.zoom, "v": version(served)}
    query = "&".join(f"{name}={value}" for name, value in asked.items() if value is not None)
    by_channel = not found.facts["rgb"] and channels > 1
    group = units // found.facts["groups"]
    return FiltersAnswer(
        **provenance_of(served),
        layer=view.layer,
        shown=_shown(found.facts),
        module=found.facts["module"],
        normalisation=found.facts["normalisation"] or None,
        units=units,
        channels=channels,
        filter_height=height,
        filter_width=width,
        rgb=found.facts["rgb"],
        unit=view.unit,
        first_channel=view.unit // group * channels if by_channel and view.unit is not None else None,
        scale=view.scale,
        largest=[value if math.isfinite(value) else 0.0 for value in found.magnitude.tolist()],
        mosaic=MosaicAnswer(**asdict(mosaic_of(len(found.cells), (height, width), found.zoom))),
        picture=f"{address(served)}/layers/{quote(view.layer, safe='')}/filters?{query}",
    )


def filters(live: Live, served: ServedStore, view: FilterView) -> Picture:
    """Return a PNG. Raises as `describe_filters`."""
    found = _cells(live, served, view)
    divisor = np.where(found.magnitude > 0, found.magnitude, 1).astype(np.float64)
    share = found.cells / divisor.reshape(-1, *[1] * (found.cells.ndim - 1))
    levels = np.nan_to_num(128 + 127 * share, nan=128).clip(0, 255).round().astype(np.uint8)
    mosaic = mosaic_of(len(levels), (levels.shape[1], levels.shape[2]), found.zoom)
    return png(draw(levels, mosaic, found.zoom)), PNG


def _cells(live: Live, served: ServedStore, view: FilterView) -> _Cells:
    layer, unit = view.layer, view.unit
    check_unit(served.store.layer(layer), unit)
    answer = live.filters(served, layer)
    facts = answer.head
    units, channels, height, width = facts["shape"]
    weights = np.frombuffer(answer.body, np.float32).reshape(units, channels, height, width)
    chosen = weights if unit is None else weights[unit : unit + 1]
    if facts["rgb"]:
        cells = np.moveaxis(chosen, 1, -1)
    elif channels == 1:
        cells = chosen[:, 0]
    elif unit is None:
        raise UsageError(
            f"the filters of {layer} read {channels} channels each: name one of its units, 0 to {units - 1}, by unit="
        )
    else:
        cells = chosen[0]
    whole = weights if view.scale == "layer" else chosen
    axes = None if view.scale == "layer" or (unit is not None and not facts["rgb"]) else (1, 2, 3)
    magnitude = np.broadcast_to(np.abs(whole).max(axis=axes), (len(cells),))
    zoom = view.zoom or max(1, _CELL // max(height, width))
    return _Cells(cells, magnitude, facts, (units, channels, height, width), zoom)


def _shown(facts: Head) -> str:
    what = f"the weights of {facts['module']}"
    if facts["normalisation"]:
        what += f" times the scale of {facts['normalisation']}"
    if facts["rgb"]:
        what += ", for red, green and blue as the preprocessing leaves them (less the mean, divided by the standard "
        what += "deviation): they are neither multiplied by that nor shifted"
    return f"{what}; mid-gray is 0, each cell's scale is its largest magnitude in `largest`"
