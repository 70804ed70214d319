"""What the viewer of any map is given: its frames, what it can be painted by, and what is found on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from ...index.atlas.atlas import Atlas
from ...index.overlays.coloring import CORRECT
from ...index.overlays.items import UNIT_TITLES
from ..queries.maps import MapVersion
from ..queries.tiles import Spot, nearest
from ..schemas.atlases import TilesAnswer, ViewName
from ..stores.registry import ServedStore
from ..stores.versioned import Version, part_version
from .urls import label_is, store_url

VIEWS: tuple[ViewName, ...] = ("nearest", "assigned", "scatter")
"""In the order of their buttons."""
Nearest = Annotated[bool, Query(description="what is nearest to the place, where it shows nothing")]
_FIELDS = ("rows", "columns", "cell", "tile", "width", "height", "address")


@dataclass(frozen=True)
class Walk:
    """What the template of a viewer reads.

    one: the word for an item of the map, `count` of them with those that are not on it. usual: the view that is seen
    first; views: with the words on their buttons. panes: of each frame what the script reads. columns: to paint by,
    with their names. layers: whose units it can be painted by, `layer` at first. classes: with the filter of each.
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


@dataclass(frozen=True)
class AskedPlace:
    """A place of a map that is looked at. nearest: or else the nearest place that shows something."""

    spot: Spot
    nearest: bool

    def find(self, served: ServedStore, atlas: Atlas) -> Spot:
        """Return the place itself. Raises as `questions.tiles.seen`."""
        return nearest(served, atlas, self.spot) if self.nearest else self.spot


def pane(
    served: ServedStore,
    found: Version[Any],
    tiles: Callable[[ViewName], TilesAnswer],
    **facts: str,
) -> dict[str, Any]:
    """Return what the script reads of one map. facts: its `atlas` by name, `one`, and where its `api` and its `page`
    are.
    """
    grids: dict[str, Any] = {}
    for name in VIEWS:
        one = tiles(name)
        grids[name] = {field: getattr(one, field) for field in _FIELDS} | {"levels": len(one.levels)}
    return {
        **facts,
        "store": served.name,
        "images": served.images,
        "pages": store_url(served.name),
        "version": part_version(found),
        "grids": grids,
    }


def columns(shown: MapVersion) -> list[tuple[str, str]]:
    """Return what a map is painted by, the most telling first, and what a person calls it."""
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
