"""What the page of a region of an atlas shows, and what the viewer asks for: its facts, its units, a legend."""

from typing import Literal

from fastapi import Request, Response

from ..params.overlay import ColoredAtlas
from ..queries.atlas import overlays as overlay_queries
from ..queries.atlas import regions
from ..queries.atlas.regions import Selection
from ..stores.registry import ServedStore
from .rendering.page import page
from .rendering.sections import attempt, given, soon

ITEMS_SHOWN = 60
ITEMS_BESIDE = 12
UNITS_SHOWN = 12
CLASSES_SHOWN = 8
_PATIENCE = 0.5


def region(
    request: Request, selection: Selection, *, start: int, part: Literal["facts", "units"] | None
) -> Response:
    """Return a region. part: the piece of it that the viewer asks for; the whole page without."""
    shown = ITEMS_BESIDE if part else ITEMS_SHOWN
    some = regions.ordered_items(selection)[start : start + shown].tolist()
    units = None
    if part != "facts" and selection.shown.kind != "units":
        units = soon(
            lambda: regions.characteristic_units(selection, layer=None, k=UNITS_SHOWN),
            wait=part == "units",
            patience=_PATIENCE,
        )
    return page(
        request,
        f"region_{part}.html" if part else "region.html",
        **given(selection.served),
        region=regions.region(selection),
        layer=selection.shown.layer,
        members=regions.region_members(selection.shown, some),
        units=units,
        asked={"grid": selection.grid, "region": selection.region},
        start=start,
        shown=shown,
        classes_shown=CLASSES_SHOWN,
        part=part,
    )


def legend(request: Request, served: ServedStore, colors: ColoredAtlas) -> Response:
    """Return what the colors of an overlay mean, or why there are none."""
    tried = attempt(lambda: overlay_queries.legend(colors.shown, colors.coloring))
    return page(
        request,
        "legend.html",
        status=tried.status,
        **given(served),
        legend=tried.found,
        problem=tried.problem,
    )
