"""Overlays as the API and the atlas page show them: what to paint by, their legend, and their tiles."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ...common.errors import UsageError
from ...index.atlas import Atlas
from ...index.cluster_names import named_clusters
from ...index.filters import parse
from ...index.overlay_colours import shares
from ...index.overlays import Overlay
from ...index.painted import Painted, by_column, by_numbers, by_unit, marked, paintable
from ...index.palettes import MARK, SERIES, hexadecimal, ordered, two_ended
from ..answers.atlases import ViewName
from ..answers.overlays import (
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
from ..fresh import Version
from ..http.answering import Picture
from ..registry import ServedStore
from .ask import check_image, class_name, said
from .regions import Drawn, images_of
from .tiles import TilePlace

PNG = "image/png"
_STOPS = 9
_SHOWS = {
    "numbers": "A thumbnail that stands for several images shows their mean.",
    "classes": "A thumbnail that stands for several images shows the commonest.",
    "share": "A thumbnail that stands for several images shows a colour between, by how many are wrong.",
    "marked": "A thumbnail that stands for several images is marked the fuller, the more of them are.",
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


def overlays(served: ServedStore, atlas: Atlas) -> OverlaysAnswer:
    """What an atlas can be painted by."""
    columns = [OverlayRow(by="column", column=name) for name in paintable(served.store)]
    plain: tuple[PaintedBy, ...] = ("density", "unit", "where", "region")
    others = [OverlayRow(by=by, column=None) for by in plain]
    return OverlaysAnswer(**said(served), atlas=atlas.name, overlays=[*others, *columns])


def overlay(served: ServedStore, found: Version[Atlas], grid: ViewName, paint: Paint) -> Overlay:
    """Raises UsageError for what is missing or unknown, LayerError, FilterError, StoreNotFoundError for no scatter."""
    if grid == "scatter":
        served.facts.overlays.places(found.value, found.digest, grid)  # is there one?
    key: tuple[object, ...] = (paint.by, paint.column, paint.layer, paint.unit, paint.where)
    if paint.by == "density":
        key += (found.digest,)
    if paint.by == "region":
        key += (found.digest, paint.drawn and paint.drawn.key)
    painted = served.facts.overlays.kept(
        ("painted", key), lambda: _painted(served, found, paint), lambda made: made.bytes
    )
    return Overlay(found.value, found.digest, grid, painted, key)


def tile(served: ServedStore, found: Version[Atlas], paint: Paint, place: TilePlace) -> Picture:
    """What lies over a tile. Raises NotFoundError for a tile that is none, and as `overlay`."""
    grid, *there = place
    return served.facts.overlays.tile(overlay(served, found, grid, paint), *there), PNG


def legend(served: ServedStore, found: Version[Atlas], paint: Paint) -> LegendAnswer:
    """What the colours mean. Raises as `overlay`."""
    painted, atlas = overlay(served, found, "nearest", paint).painted, found.value
    there = ~np.isnan(painted.values[atlas.images])
    numbers = painted.kind == "numbers" and bool(there.any())
    return LegendAnswer(
        **said(served),
        atlas=atlas.name,
        title=painted.title,
        kind=painted.kind,
        says=painted.says,
        shows=_SHOWS[painted.kind],
        stops=_stops(painted) if numbers else [],
        logarithmic=painted.logarithmic,
        smallest=_text(painted, painted.smallest) if numbers else None,
        largest=_text(painted, painted.largest) if numbers else None,
        classes=_legend_classes(painted, painted.values[atlas.images][there]),
        missing=0 if painted.kind == "marked" else int(np.count_nonzero(~there)),
        images=len(atlas.images),
    )


def value(served: ServedStore, found: Version[Atlas], paint: Paint, image_id: int) -> OverlayValueAnswer:
    """What one image is painted by. Raises NotFoundError, and as `overlay`."""
    check_image(served.store, image_id)
    painted = overlay(served, found, "nearest", paint).painted
    number = float(painted.values[image_id])
    if math.isnan(number):
        return OverlayValueAnswer(
            **said(served), atlas=found.value.name, image_id=image_id, value=None, text=None
        )
    if painted.kind == "numbers":
        text = _text(painted, number)
    else:
        text = painted.names[0 if painted.kind == "marked" else int(number)]
    return OverlayValueAnswer(
        **said(served), atlas=found.value.name, image_id=image_id, value=number, text=text
    )


def clusters(served: ServedStore, found: Version[Atlas], grid: ViewName) -> ClustersAnswer:
    """The clusters with names, and where they lie in a grid."""
    facts = served.facts.overlays
    on_map = facts.places(found.value, found.digest, "nearest")
    named = facts.kept(
        ("clusters", found.digest),
        lambda: named_clusters(on_map, served.facts.images(), found.value.images),
        lambda made: sum(one.members.nbytes + 200 for one in made),
    )
    places = facts.places(found.value, found.digest, grid)
    rows = [
        ClusterAnswer(
            name=", ".join(_label_name(served, label) for label in one.labels),
            labels=list(one.labels),
            images=one.images,
            scale=one.scale,
            x=round(float(np.median(places.x[one.members])), 2),
            y=round(float(np.median(places.y[one.members])), 2),
        )
        for one in named
    ]
    return ClustersAnswer(**said(served), atlas=found.value.name, grid=grid, clusters=rows)


def _label_name(served: ServedStore, label: str) -> str:
    return class_name(served.store, served.facts.classes.find(label).label_index) or label


def _painted(served: ServedStore, found: Version[Atlas], paint: Paint) -> Painted:
    store = served.store
    if paint.by == "density":
        counts = served.facts.overlays.density(found.value, found.digest, store.images_count)
        return by_numbers("density", counts, says="images in a cell of the map", logarithmic=True)
    if paint.by == "unit":
        if paint.layer is None or paint.unit is None:
            raise UsageError("by=unit needs layer and unit, such as by=unit&layer=features.10&unit=17")
        return by_unit(store, paint.layer, paint.unit)
    if paint.by == "where":
        if paint.where is None:
            raise UsageError("by=where needs a filter, such as by=where&where=correct = false")
        kept = parse(paint.where, store.images_schema)
        return marked(paint.where, store.images_count, np.flatnonzero(store.mask(kept)))
    if paint.by == "region":
        if paint.drawn is None:
            raise UsageError("by=region needs region, such as by=region&region=10,10;20,10;20,20")
        return marked("the region", store.images_count, images_of(served, paint.drawn))
    return by_column(store, paint.column or "label")


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
    """values: (n,) float32, of the atlas's images that have one."""
    if painted.kind == "numbers":
        return []
    if painted.kind == "marked":
        return [LegendClass(name=painted.title, images=len(values), colour=hexadecimal(MARK))]
    palette = two_ended(np.array([0.0, 1.0])) if painted.kind == "share" else SERIES
    counts = np.bincount(values.astype(np.int64), minlength=len(painted.names)).tolist()
    return [
        LegendClass(name=name, images=counts[number], colour=hexadecimal(palette[number]))
        for number, name in enumerate(painted.names)
    ]


def _text(painted: Painted, number: float) -> str:
    if painted.dates:
        return datetime.fromtimestamp(number, UTC).date().isoformat()
    return f"{number:,.0f}" if number.is_integer() else f"{number:.3g}"
