"""What the atlas page shows, whatever the atlas maps: the viewer over its tiles, a window of the nearest grid for
browsers without scripts, and the panel beside the map.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from ...common.errors import UnitscopeError, UsageError
from ...index.format.layer_row import LayerRow
from ..errors import status_of
from ..queries.atlas import tiles as tile_queries
from ..queries.atlas.atlases import describe_atlas, grid, measures
from ..queries.atlas.served_atlas import ServedAtlas, served_atlas
from ..queries.atlas.tiles import Spot, nearest, outline
from ..schemas.atlases import AtlasKind, ViewName
from ..stores.registry import Registry, ServedStore
from . import map_viewer
from .map_viewer import Walk
from .rendering.page import page
from .rendering.sections import given

GRID_CELLS = 40
_FEW = 2
"""Cells along the map's sides, of which so few that most items would be hidden."""


@dataclass(frozen=True)
class Words:
    """What is said of a kind of atlas. items: what is on it; alike: how those that are close together are alike.

    whole: on the button of the grid in which each item has a cell; example: of a filter.
    """

    items: str
    alike: str
    whole: str
    nearest: str = "grid"
    example: str = "loss > 2"

    @property
    def views(self) -> list[tuple[ViewName, str]]:
        """The views with the words on their buttons."""
        return [("nearest", self.nearest), ("assigned", self.whole), ("scatter", "scatter")]


WORDS: dict[AtlasKind, Words] = {
    "images": Words("images", "similar to the model", "all images"),
    "units": Words("units", "similar in what activates them", "all units", example="active < 0.1"),
    "activations": Words("samples", "with similar activations", "all samples", nearest="averages"),
}


@dataclass(frozen=True)
class Look:
    """What the address of an atlas page asks for.

    row, column: of the window without scripts. item: to look for. plain: no viewer. beside, beside_store: another atlas
    to compare with.
    """

    name: str | None
    row: int | None = None
    column: int | None = None
    item: int | None = None
    plain: bool = False
    beside: str | None = None
    beside_store: str | None = None


def atlas(request: Request, served: ServedStore, look: Look) -> Response:
    """Return an atlas. Raises LayerError, NotBuiltError."""
    known = served.atlases()
    if look.name is None and not known:
        return page(request, "no_atlas.html", **given(served))
    shown = served_atlas(served, look.name or known[0]).value
    panes, missing = _panes(request, shown, look)
    place, problem, status = _place(shown, look.item)
    last = max(0, len(shown.atlas.grid) - GRID_CELLS)
    row, column = (
        _start(wanted, middle, last)
        for wanted, middle in zip((look.row, look.column), place or (None, None), strict=True)
    )
    words = WORDS[shown.kind]
    return page(
        request,
        "atlas.html",
        status=status,
        **given(served),
        atlas=describe_atlas(shown),
        layer=_layer(shown),
        measures=measures(shown.atlas, words.items, words.alike),
        walk=_walk(shown, panes),
        others=_others(request, shown),
        tiled=shown.atlas.tiles is not None,
        grid=grid(shown, (row, row + GRID_CELLS), (column, column + GRID_CELLS)),
        row=row,
        column=column,
        last=last,
        step=GRID_CELLS // 2,
        item=look.item if problem is None else None,
        place=place,
        problem=problem or missing,
        plain=look.plain,
    )


def _layer(shown: ServedAtlas) -> LayerRow | None:
    return None if shown.layer is None else shown.served.store.layer(shown.layer)


def _start(wanted: int | None, middle: int | None, last: int) -> int:
    """Return the first row or column of the window: what was asked for, else around an item, else the middle."""
    if wanted is None:
        wanted = last // 2 if middle is None else max(0, middle - GRID_CELLS // 2)
    return min(wanted, last)


def _place(shown: ServedAtlas, item: int | None) -> tuple[tuple[int, int] | None, str | None, int]:
    """Return the cell of an item in the nearest grid, or why there is none and the page's status."""
    if item is None:
        return None, None, 200
    try:
        shown.check_item(item)
        return shown.atlas.cell(item, "nearest"), None, 200
    except UnitscopeError as error:
        return None, str(error), status_of(error)[0]


def _panes(request: Request, shown: ServedAtlas, look: Look) -> tuple[list[dict[str, Any]], str | None]:
    """Return what the script reads of each atlas that is shown, none where this one has no tiles; and why one is
    missing.
    """
    if shown.atlas.tiles is None or look.plain:
        return [], None
    first = map_viewer.pane(shown)
    if look.beside is None:
        return [first], None
    try:
        registry: Registry = request.app.state.registry
        mine = look.beside_store in (None, shown.served.name)
        there = shown.served if mine else registry.get(look.beside_store or "").value
        other = served_atlas(there, look.beside).value
        if {shown.kind, other.kind} != {"images"}:
            raise UsageError("only atlases of images can be compared side by side")
    except UnitscopeError as error:
        return [first], str(error)
    if other.atlas.tiles is None:
        return [
            first
        ], f"the atlas {other.name} of {there.name} was made without tiles: it cannot be shown beside"
    return [first, map_viewer.pane(other)], None


def _walk(shown: ServedAtlas, panes: list[dict[str, Any]]) -> Walk:
    served, words = shown.served, WORDS[shown.kind]
    layers = [row.layer for row in served.store.layers]
    classes = map_viewer.classes(served)
    each_seen = shown.kind == "units" or len(shown.atlas.grid) <= _FEW
    return Walk(
        one=shown.items.one,
        count=shown.items.count,
        usual="assigned" if each_seen else "nearest",
        views=words.views,
        panes=panes,
        columns=map_viewer.columns(shown),
        layers=[shown.layer] if shown.layer is not None and shown.kind == "units" else layers,
        layer=shown.layer or layers[-1],
        classes=classes,
        example=classes[0][0] if classes else words.example,
    )


def _others(request: Request, shown: ServedAtlas) -> list[tuple[str, str]]:
    """Return (store, atlas) of every other atlas of images of this service; none for an atlas of something else."""
    if shown.kind != "images":
        return []
    registry: Registry = request.app.state.registry
    every = [(store, atlas) for store in registry.names() for atlas in registry.get(store).value.atlases()]
    return [one for one in every if one != (shown.served.name, shown.name)]


def panel(request: Request, shown: ServedAtlas, spot: Spot, *, or_nearest: bool) -> Response:
    """Return what the script shows beside the map of a place on it. or_nearest: that shows something."""
    seen = nearest(shown, spot) if or_nearest else spot
    cell, at = tile_queries.at(shown, seen), outline(shown, seen)
    return page(request, "atlas_panel.html", **given(shown.served), layer=_layer(shown), cell=cell, at=at)
