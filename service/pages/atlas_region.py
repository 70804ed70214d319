"""What the page of a region of an atlas shows, and what the viewer asks for: its facts, its units, a legend."""

from typing import Literal

from fastapi import Request, Response

from ..params.overlay import ColoredMap
from ..queries.atlas import overlays as overlay_questions
from ..queries.atlas import regions
from ..queries.atlas.regions import Drawn
from ..stores.registry import ServedStore
from .rendering.page import page
from .rendering.sections import attempt, given, soon

ITEMS_SHOWN = 60
ITEMS_BESIDE = 12
UNITS_SHOWN = 12
CLASSES_SHOWN = 8
_PATIENCE = 0.5


def region(request: Request, drawn: Drawn, *, start: int, part: Literal["facts", "units"] | None) -> Response:
    """Return a region. part: the piece of it that the viewer asks for; the whole page without."""
    shown = ITEMS_BESIDE if part else ITEMS_SHOWN
    some = regions.ordered_items(drawn)[start : start + shown].tolist()
    units = None
    if part != "facts" and drawn.shown.kind != "units":
        units = soon(
            lambda: regions.characteristic_units(drawn, layer=None, k=UNITS_SHOWN),
            wait=part == "units",
            patience=_PATIENCE,
        )
    return page(
        request,
        f"region_{part}.html" if part else "region.html",
        **given(drawn.served),
        region=regions.region(drawn),
        layer=drawn.shown.layer,
        members=regions.region_members(drawn.shown, some),
        units=units,
        asked={"grid": drawn.grid, "region": drawn.region},
        start=start,
        shown=shown,
        classes_shown=CLASSES_SHOWN,
        part=part,
    )


def legend(request: Request, served: ServedStore, colors: ColoredMap) -> Response:
    """Return what the colors of an overlay mean, or why there are none."""
    tried = attempt(lambda: overlay_questions.legend(colors.shown, colors.coloring))
    return page(
        request,
        "legend.html",
        status=tried.status,
        **given(served),
        legend=tried.found,
        problem=tried.problem,
    )
