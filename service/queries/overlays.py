"""Overlays as the API and the atlas page show them: what to paint by, their legend, and their tiles."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ...common.errors import UsageError
from ...index.overlays.clusters import named_clusters
from ...index.overlays.coloring import Painted, by_numbers, marked
from ...index.overlays.overlays import Overlay
from ...index.overlays.palettes import MARK, SERIES, hexadecimal, ordered, two_ended
from ...index.overlays.rendering import shares
from ..schemas.atlases import ViewName
from ..schemas.overlays import (
    ClusterAnswer,
    ClustersAnswer,
    LegendAnswer,
    LegendClass,
    LegendStop,
    OverlayRow,
    OverlaysAnswer,
    OverlayValueAnswer,
    PaintedBy,
)
from ..stores.versioned import Picture
from .class_names import name_of
from .maps import MapVersion, check_item
from .regions import Drawn, items_of
from .stores import provenance_of
from .tiles import TilePlace

PNG = "image/png"
_STOPS = 9
_SHOWS = {
    "numbers": "A thumbnail that stands for several {one}s shows their mean.",
    "classes": "A thumbnail that stands for several {one}s shows the most common.",
    "share": "A thumbnail that stands for several {one}s shows a color between, by how many are incorrect.",
    "marked": "A thumbnail that stands for several {one}s is marked in proportion to how many of them are.",
}


@dataclass(frozen=True)
class Paint:
    """What an overlay is to be painted by. drawn: the region, in whichever atlas it was drawn."""

    by: PaintedBy
    column: str | None = None
    layer: str | None = None
    unit: int | None = None
    where: str | None = None
    drawn: Drawn | None = None


def overlays(shown: MapVersion) -> OverlaysAnswer:
    """Return what a map can be painted by."""
    columns = [OverlayRow(by="column", column=name) for name in shown.items.columns]
    plain: tuple[PaintedBy, ...] = ("density", "unit", "where", "region")
    others = [OverlayRow(by=by, column=None) for by in plain]
    return OverlaysAnswer(**provenance_of(shown.served), atlas=shown.atlas.name, overlays=[*others, *columns])


def overlay(shown: MapVersion, grid: ViewName, paint: Paint) -> Overlay:
    """Raise UsageError for what is missing or unknown, LayerError, FilterError, NotBuiltError for no scatter."""
    kept = shown.served.overlays
    if grid == "scatter":
        kept.places(shown.atlas, shown.digest, grid)  # is there one?
    key: tuple[object, ...] = (shown.key, paint.by, paint.column, paint.layer, paint.unit, paint.where)
    if paint.by == "density":
        key += (shown.digest,)
    if paint.by == "region":
        key += (shown.digest, paint.drawn and paint.drawn.key)
    painted = kept.kept(("painted", key), lambda: _painted(shown, paint), lambda made: made.bytes)
    return Overlay(shown.atlas, shown.digest, grid, painted, key)


def tile(shown: MapVersion, paint: Paint, place: TilePlace) -> Picture:
    """Return what lies over a tile. Raises NotFoundError for a tile that is none, and as `overlay`."""
    grid, *there = place
    return shown.served.overlays.tile(overlay(shown, grid, paint), *there), PNG


def legend(shown: MapVersion, paint: Paint) -> LegendAnswer:
    """Return what the colours mean. Raises as `overlay`."""
    painted, atlas = overlay(shown, "nearest", paint).painted, shown.atlas
    there = ~np.isnan(painted.values[atlas.images])
    numbers = painted.kind == "numbers" and bool(there.any())
    return LegendAnswer(
        **provenance_of(shown.served),
        atlas=atlas.name,
        title=painted.title,
        kind=painted.kind,
        says=painted.says,
        shows=_SHOWS[painted.kind].format(one=shown.items.one),
        stops=_stops(painted) if numbers else [],
        logarithmic=painted.logarithmic,
        smallest=_text(painted, painted.smallest) if numbers else None,
        largest=_text(painted, painted.largest) if numbers else None,
        classes=_legend_classes(painted, painted.values[atlas.images][there]),
        missing=0 if painted.kind == "marked" else int(np.count_nonzero(~there)),
        items=len(atlas.images),
    )


def value(shown: MapVersion, paint: Paint, item: int) -> OverlayValueAnswer:
    """Return what one item is painted by. Raises NotFoundError, and as `overlay`."""
    check_item(shown.items, item)
    painted = overlay(shown, "nearest", paint).painted
    number = float(painted.values[item])
    known = not math.isnan(number)
    return OverlayValueAnswer(
        **provenance_of(shown.served),
        atlas=shown.atlas.name,
        item=item,
        value=number if known else None,
        text=_value_text(painted, number) if known else None,
    )


def clusters(shown: MapVersion, grid: ViewName) -> ClustersAnswer:
    """Return the clusters with names, and where they lie in a grid."""
    served, atlas = shown.served, shown.atlas
    facts = served.overlays
    on_map = facts.places(atlas, shown.digest, "nearest")
    named = facts.kept(
        ("clusters", shown.digest),
        lambda: named_clusters(on_map, shown.items.labels(), atlas.images),
        lambda made: sum(one.members.nbytes + 200 for one in made),
    )
    places = facts.places(atlas, shown.digest, grid)
    rows = [
        ClusterAnswer(
            name=", ".join(name_of(served, label) for label in one.labels),
            labels=list(one.labels),
            items=one.images,
            scale=one.scale,
            x=round(float(np.median(places.x[one.members])), 2),
            y=round(float(np.median(places.y[one.members])), 2),
        )
        for one in named
    ]
    return ClustersAnswer(**provenance_of(served), atlas=atlas.name, grid=grid, clusters=rows)


def _painted(shown: MapVersion, paint: Paint) -> Painted:
    items = shown.items
    if paint.by == "density":
        counts = shown.served.overlays.density(shown.atlas, shown.digest, items.count)
        return by_numbers("density", counts, says=f"{items.one}s in a cell of the map", logarithmic=True)
    if paint.by == "unit":
        if paint.layer is None or paint.unit is None:
            raise UsageError("by=unit needs layer and unit, such as by=unit&layer=features.10&unit=17")
        return items.by_unit(paint.layer, paint.unit)
    if paint.by == "where":
        if paint.where is None:
            raise UsageError("by=where needs a filter, such as by=where&where=correct = false")
        return marked(paint.where, items.count, np.flatnonzero(items.mask(paint.where)))
    if paint.by == "region":
        if paint.drawn is None:
            raise UsageError("by=region needs region, such as by=region&region=10,10;20,10;20,20")
        return marked("selection", items.count, items_of(shown, paint.drawn))
    return items.by_column(paint.column or "label")


def _stops(painted: Painted) -> list[LegendStop]:
    values = np.linspace(painted.low, painted.high, _STOPS)
    if painted.logarithmic:
        values = np.expm1(np.linspace(np.log1p(painted.low), np.log1p(painted.high), _STOPS))
    colours = ordered(shares(painted, values))
    return [
        LegendStop(value=float(one), text=_text(painted, float(one)), colour=hexadecimal(colour))
        for one, colour in zip(values, colours, strict=True)
    ]


def _legend_classes(painted: Painted, values: np.ndarray) -> list[LegendClass]:
    """Return the legend's classes. values: (n,) float32, of the map's items that have one."""
    if painted.kind == "numbers":
        return []
    if painted.kind == "marked":
        return [LegendClass(name=painted.title, items=len(values), colour=hexadecimal(MARK))]
    palette = two_ended(np.array([0.0, 1.0])) if painted.kind == "share" else SERIES
    counts = np.bincount(values.astype(np.int64), minlength=len(painted.names)).tolist()
    return [
        LegendClass(name=name, items=counts[number], colour=hexadecimal(palette[number]))
        for number, name in enumerate(painted.names)
    ]


def _value_text(painted: Painted, number: float) -> str:
    if painted.kind == "numbers":
        return _text(painted, number)
    return painted.names[0 if painted.kind == "marked" else int(number)]


def _text(painted: Painted, number: float) -> str:
    if painted.dates:
        return datetime.fromtimestamp(number, UTC).date().isoformat()
    return f"{number:,.0f}" if number.is_integer() else f"{number:.3g}"
