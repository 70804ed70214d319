"""What the page of a region of an atlas shows, and what the viewer asks for: its facts, its units, a legend."""

from typing import Literal

from fastapi import Request, Response

from ..params.overlay import ColoredMap
from ..queries import overlays as overlay_questions
from ..queries import regions as region_questions
from ..queries.images import ListedImageAnswer, listed
from ..queries.regions import Drawn
from ..stores.registry import ServedStore
from .rendering import page
from .sections import attempt, given, soon

IMAGES_SHOWN = 60
IMAGES_BESIDE = 12
UNITS_SHOWN = 12
CLASSES_SHOWN = 8
_PATIENCE = 0.5


def region(
    request: Request,
    served: ServedStore,
    drawn: Drawn,
    *,
    start: int,
    part: Literal["facts", "units"] | None,
) -> Response:
    """Return a region. part: the piece of it that the viewer asks for; the whole page without."""
    ids = region_questions.ordered_items(drawn)
    shown = IMAGES_BESIDE if part else IMAGES_SHOWN
    rows = [ListedImageAnswer(**row) for row in listed(served, ids[start : start + shown].tolist())]
    units = None
    if part != "facts":
        units = soon(
            lambda: region_questions.units(drawn, layer=None, k=UNITS_SHOWN),
            wait=part == "units",
            patience=_PATIENCE,
        )
    return page(
        request,
        f"region_{part}.html" if part else "region.html",
        **given(served),
        region=region_questions.region(drawn),
        images=rows,
        units=units,
        asked={"grid": drawn.grid, "region": drawn.region},
        start=start,
        shown=shown,
        classes_shown=CLASSES_SHOWN,
        part=part,
    )


def legend(request: Request, served: ServedStore, painted: ColoredMap) -> Response:
    """Return what the colours of an overlay mean, or why there are none."""
    tried = attempt(lambda: overlay_questions.legend(painted.shown, painted.paint))
    return page(
        request,
        "legend.html",
        status=tried.status,
        **given(served),
        legend=tried.found,
        problem=tried.problem,
    )
