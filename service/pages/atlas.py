"""What the atlas page shows: the viewer over its tiles, and for who has no scripts a window of the nearest grid."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from ...common.errors import UnitscopeError
from ...index.atlas.atlas import Atlas
from ..errors import status_of
from ..queries import stores as ask
from ..queries import tiles as tile_answers
from ..queries.atlases import describe_atlas, grid, measures
from ..queries.maps import MapVersion, map_of
from ..schemas.atlases import ViewName
from ..stores.registry import Registry, ServedStore
from ..stores.urls import version
from ..stores.versioned import Version
from . import map_viewer
from .map_viewer import AskedPlace, Walk
from .rendering import page
from .sections import given
from .urls import atlas_url

GRID_CELLS = 40
_VIEWS: list[tuple[ViewName, str]] = [
    ("nearest", "grid"),
    ("assigned", "all images"),
    ("scatter", "scatter"),
]


_FEW = 2
"""Cells along the map's sides, of which so few that most images would be hidden."""


@dataclass(frozen=True)
class Look:
    """What the address of an atlas page asks for.

    row, column: of the window without scripts. plain: no viewer. beside, beside_store: another atlas to compare with.
    """

    name: str | None
    row: int | None = None
    column: int | None = None
    image: int | None = None
    plain: bool = False
    beside: str | None = None
    beside_store: str | None = None


def atlas(request: Request, served: ServedStore, look: Look) -> Response:
    """Return an atlas."""
    known = served.atlases()
    store, url = ask.describe(served), served.store.folder.url
    if look.name is None and not known:
        return page(request, "no_atlas.html", store=store, url=url)
    version_of = served.atlas(look.name or known[0])
    found = version_of.value
    panes, missing = _panes(request, served, version_of, look)
    place, problem, status = _place(found, look.image, served)
    last = max(0, len(found.grid) - GRID_CELLS)
    row, column = (
        _start(wanted, middle, last)
        for wanted, middle in zip((look.row, look.column), place or (None, None), strict=True)
    )
    return page(
        request,
        "atlas.html",
        status=status,
        store=store,
        url=url,
        atlas=describe_atlas(served, found),
        measures=measures(found),
        walk=_walk(map_of(served, version_of), panes),
        others=_others(request, served, found.name),
        tiled=found.tiles is not None,
        grid=grid(served, found, (row, row + GRID_CELLS), (column, column + GRID_CELLS)),
        row=row,
        column=column,
        last=last,
        step=GRID_CELLS // 2,
        image=look.image if problem is None else None,
        place=place,
        problem=problem or missing,
        plain=look.plain,
        v=version(served),
    )


def _start(wanted: int | None, middle: int | None, last: int) -> int:
    """Return the first row or column of the window: what was asked for, else around an image, else the middle."""
    if wanted is None:
        wanted = last // 2 if middle is None else max(0, middle - GRID_CELLS // 2)
    return min(wanted, last)


def _place(
    found: Atlas, image: int | None, served: ServedStore
) -> tuple[tuple[int, int] | None, str | None, int]:
    """Return the cell of an image in the nearest grid, or why there is none and the page's status."""
    if image is None:
        return None, None, 200
    try:
        ask.check_image(served.store, image)
        return found.cell(image, "nearest"), None, 200
    except UnitscopeError as error:
        return None, str(error), status_of(error)[0]


def _panes(
    request: Request, served: ServedStore, found: Version[Atlas], look: Look
) -> tuple[list[dict[str, Any]], str | None]:
    """Return what the script reads of each atlas that is shown, none where this one has no tiles; and why one is
    missing.
    """
    first = _pane(served, found)
    if first is None or look.plain:
        return [], None
    if look.beside is None:
        return [first], None
    try:
        registry: Registry = request.app.state.registry
        there = served if look.beside_store in (None, served.name) else registry.get(look.beside_store).value
        second = _pane(there, there.atlas(look.beside))
    except UnitscopeError as error:
        return [first], str(error)
    if second is None:
        return [
            first
        ], f"the atlas {look.beside} of {there.name} was made without tiles: it cannot be shown beside"
    return [first, second], None


def _walk(shown: MapVersion, panes: list[dict[str, Any]]) -> Walk:
    served = shown.served
    layers = [row.layer for row in served.store.layers]
    classes = map_viewer.classes(served)
    return Walk(
        one=shown.items.one,
        count=shown.items.count,
        usual="nearest" if len(shown.atlas.grid) > _FEW else "assigned",
        views=_VIEWS,
        panes=panes,
        columns=map_viewer.columns(shown),
        layers=layers,
        layer=layers[-1],
        classes=classes,
        example=classes[0][0] if classes else "loss > 2",
    )


def _pane(served: ServedStore, found: Version[Atlas]) -> dict[str, Any] | None:
    """Return None where the atlas has no tiles."""
    atlas = found.value
    if atlas.tiles is None:
        return None
    return map_viewer.pane(
        served,
        found,
        lambda view: tile_answers.tiles(served, found, view),
        atlas=atlas.name,
        one="image",
        api=tile_answers.atlas_address(served, atlas.name),
        page=atlas_url(served.name, atlas.name),
    )


def _others(request: Request, served: ServedStore, name: str) -> list[tuple[str, str]]:
    """Return (store, atlas) of every other atlas of this service."""
    registry: Registry = request.app.state.registry
    every = [(store, atlas) for store in registry.names() for atlas in registry.get(store).value.atlases()]
    return [one for one in every if one != (served.name, name)]


def panel(request: Request, served: ServedStore, found: Version[Atlas], asked: AskedPlace) -> Response:
    """Return what the script shows beside the map of a place on it."""
    spot = asked.find(served, found.value)
    cell = tile_answers.at(served, found.value, spot)
    at = tile_answers.outline(served, found.value, spot)
    return page(request, "atlas_panel.html", **given(served), cell=cell, at=at)
