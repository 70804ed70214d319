"""What the viewer of any atlas is given: its frames, what it can be colored by, and what is found on it."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from ...index.overlays.coloring import CORRECT
from ...index.overlays.items import UNIT_TITLES
from ..queries.atlas.served_atlas import ServedAtlas
from ..queries.atlas.tiles import tiles
from ..schemas.atlases import ViewName
from ..stores.registry import ServedStore
from .rendering.urls import atlas_url, label_is, store_url

VIEWS: tuple[ViewName, ...] = ("nearest", "assigned", "scatter")
"""In the order of their buttons."""
Nearest = Annotated[bool, Query(description="what is nearest to the place, where it shows nothing")]
_FIELDS = ("rows", "columns", "cell", "tile", "width", "height", "address")


@dataclass(frozen=True)
class Walk:
    """What the template of a viewer reads.

    one: the word for an item of the map, `count` of them with those that are not on it. usual: the view that is seen
    first; views: with the words on their buttons. panes: of each frame what the script reads. columns: to color by,
    with their names. layers: whose units it can be colored by, `layer` at first. classes: with the filter of each.
    example: of a filter.
    """

    one: str
    count: int
    usual: ViewName
    views: list[tuple[ViewName, str]]
    panes: list[dict[str, Any]]
    columns: list[tuple[str, str]]
    layers: list[str]
    layer: str
    classes: list[tuple[str, str]]
    example: str


def pane(shown: ServedAtlas) -> dict[str, Any]:
    """Return what the script reads of one atlas, which has tiles."""
    grids: dict[str, Any] = {}
    for name in VIEWS:
        view = tiles(shown, name)
        grids[name] = {field: getattr(view, field) for field in _FIELDS} | {"levels": len(view.levels)}
    served = shown.served
    return {
        "atlas": shown.name,
        "one": shown.items.one,
        "api": shown.address,
        "page": atlas_url(served.name, shown.name),
        "store": served.name,
        "images": served.images,
        "pages": store_url(served.name),
        "version": shown.version,
        "grids": grids,
    }


def columns(shown: ServedAtlas) -> list[tuple[str, str]]:
    """Return what a map is colored by, the most telling first, and what a person calls it."""
    names = sorted(shown.items.columns, key=lambda name: name != CORRECT)
    if shown.items.one == "unit":
        return [(name, UNIT_TITLES[name][0]) for name in names]
    return [(name, "correctness" if name == CORRECT else name.replace("_", " ")) for name in names]


def classes(served: ServedStore) -> list[tuple[str, str]]:
    """Return the name of each class, and the filter that keeps its images, or the units that fire most for it."""
    return [
        (served.store.class_name(row.label_index) or row.label, label_is(row.label))
        for row in served.analysis.classes.rows()
    ]
