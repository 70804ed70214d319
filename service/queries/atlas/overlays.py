"""Overlays as the API and the atlas page show them: what to color by, their legend, and their tiles."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ....common.errors import UsageError
from ....index.overlays.clusters import named_clusters
from ....index.overlays.coloring import ItemColors, by_numbers, marked
from ....index.overlays.overlays import Overlay
from ....index.overlays.palettes import MARK, SERIES, hexadecimal, ordered, two_ended
from ....index.overlays.rendering import shares
from ...schemas.atlases import ViewName
from ...schemas.overlays import (
    ClusterAnswer,
    ClustersAnswer,
    ColorBy,
    LegendAnswer,
    LegendClass,
    LegendStop,
    OverlayRow,
    OverlaysAnswer,
    OverlayValueAnswer,
)
from ...stores.versioned import Picture
from ..class_names import name_of
from ..stores import provenance_of
from .regions import Selection, items_of
from .served_atlas import ServedAtlas
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
class Coloring:
    """What an overlay is to be colored by. selection: the region, in whichever atlas it was drawn."""

    by: ColorBy
    column: str | None = None
    layer: str | None = None
    unit: int | None = None
    where: str | None = None
    selection: Selection | None = None


def overlays(shown: ServedAtlas) -> OverlaysAnswer:
    """Return what a map can be colored by."""
    columns = [OverlayRow(by="column", column=name) for name in shown.items.columns]
    plain: tuple[ColorBy, ...] = ("density", "unit", "where", "region")
    others = [OverlayRow(by=by, column=None) for by in plain]
    return OverlaysAnswer(**provenance_of(shown.served), atlas=shown.name, overlays=[*others, *columns])


def overlay(shown: ServedAtlas, grid: ViewName, coloring: Coloring) -> Overlay:
    """Raise UsageError for what is missing or unknown, LayerError, FilterError, NotBuiltError for no scatter."""
    kept = shown.served.overlays
    if grid == "scatter":
        kept.places(shown.atlas, shown.digest, grid)  # is there one?
    key: tuple[object, ...] = (
        shown.items_key,
        coloring.by,
        coloring.column,
        coloring.layer,
        coloring.unit,
        coloring.where,
    )
    if coloring.by == "density":
        key += (shown.digest,)
    if coloring.by == "region":
        key += (shown.digest, coloring.selection and coloring.selection.key)
    colors = kept.kept(("colors", key), lambda: _colored(shown, coloring), lambda made: made.bytes)
    return Overlay(shown.atlas, shown.digest, grid, colors, key)


def tile(shown: ServedAtlas, coloring: Coloring, place: TilePlace) -> Picture:
    """Return what lies over a tile. Raises NotFoundError for a tile that is none, and as `overlay`."""
    grid, *there = place
    return shown.served.overlays.tile(overlay(shown, grid, coloring), *there), PNG


def legend(shown: ServedAtlas, coloring: Coloring) -> LegendAnswer:
    """Return what the colours mean. Raises as `overlay`."""
    colors, atlas = overlay(shown, "nearest", coloring).colors, shown.atlas
    there = ~np.isnan(colors.values[atlas.images])
    numbers = colors.kind == "numbers" and bool(there.any())
    return LegendAnswer(
        **provenance_of(shown.served),
        atlas=shown.name,
        title=colors.title,
        kind=colors.kind,
        says=colors.says,
        shows=_SHOWS[colors.kind].format(one=shown.items.one),
        stops=_stops(colors) if numbers else [],
        logarithmic=colors.logarithmic,
        smallest=_text(colors, colors.smallest) if numbers else None,
        largest=_text(colors, colors.largest) if numbers else None,
        classes=_legend_classes(colors, colors.values[atlas.images][there]),
        missing=0 if colors.kind == "marked" else int(np.count_nonzero(~there)),
        items=len(atlas.images),
    )


def value(shown: ServedAtlas, coloring: Coloring, item: int) -> OverlayValueAnswer:
    """Return what one item is colored by. Raises NotFoundError, and as `overlay`."""
    shown.check_item(item)
    colors = overlay(shown, "nearest", coloring).colors
    number = float(colors.values[item])
    known = not math.isnan(number)
    return OverlayValueAnswer(
        **provenance_of(shown.served),
        atlas=shown.name,
        item=item,
        value=number if known else None,
        text=_value_text(colors, number) if known else None,
    )


def clusters(shown: ServedAtlas, grid: ViewName) -> ClustersAnswer:
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
    return ClustersAnswer(**provenance_of(served), atlas=shown.name, grid=grid, clusters=rows)


def _colored(shown: ServedAtlas, coloring: Coloring) -> ItemColors:
    items = shown.items
    if coloring.by == "density":
        counts = shown.served.overlays.density(shown.atlas, shown.digest, items.count)
        return by_numbers("density", counts, says=f"{items.one}s in a cell of the map", logarithmic=True)
    if coloring.by == "unit":
        if coloring.layer is None or coloring.unit is None:
            raise UsageError("by=unit needs layer and unit, such as by=unit&layer=features.10&unit=17")
        return items.by_unit(coloring.layer, coloring.unit)
    if coloring.by == "where":
        if coloring.where is None:
            raise UsageError("by=where needs a filter, such as by=where&where=correct = false")
        return marked(coloring.where, items.count, np.flatnonzero(items.mask(coloring.where)))
    if coloring.by == "region":
        if coloring.selection is None:
            raise UsageError("by=region needs region, such as by=region&region=10,10;20,10;20,20")
        return marked("selection", items.count, items_of(shown, coloring.selection))
    return items.by_column(coloring.column or "label")


def _stops(colors: ItemColors) -> list[LegendStop]:
    values = np.linspace(colors.low, colors.high, _STOPS)
    if colors.logarithmic:
        values = np.expm1(np.linspace(np.log1p(colors.low), np.log1p(colors.high), _STOPS))
    colours = ordered(shares(colors, values))
    return [
        LegendStop(value=float(one), text=_text(colors, float(one)), colour=hexadecimal(colour))
        for one, colour in zip(values, colours, strict=True)
    ]


def _legend_classes(colors: ItemColors, values: np.ndarray) -> list[LegendClass]:
    """Return the legend's classes. values: (n,) float32, of the map's items that have one."""
    if colors.kind == "numbers":
        return []
    if colors.kind == "marked":
        return [LegendClass(name=colors.title, items=len(values), colour=hexadecimal(MARK))]
    palette = two_ended(np.array([0.0, 1.0])) if colors.kind == "share" else SERIES
    counts = np.bincount(values.astype(np.int64), minlength=len(colors.names)).tolist()
    return [
        LegendClass(name=name, items=counts[number], colour=hexadecimal(palette[number]))
        for number, name in enumerate(colors.names)
    ]


def _value_text(colors: ItemColors, number: float) -> str:
    if colors.kind == "numbers":
        return _text(colors, number)
    return colors.names[0 if colors.kind == "marked" else int(number)]


def _text(colors: ItemColors, number: float) -> str:
    if colors.dates:
        return datetime.fromtimestamp(number, UTC).date().isoformat()
    return f"{number:,.0f}" if number.is_integer() else f"{number:.3g}"
