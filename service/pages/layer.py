"""What a layer's page shows: a wall of its units' best patches in the order and under the filters of the address."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request, Response

from ...index.analysis.units import UnitQuery
from ..queries import units as unit_queries
from ..queries.kernels import FilterView, describe_filters, filters
from ..queries.live import Live
from ..schemas.live import FiltersAnswer
from ..stores.registry import ServedStore
from ..stores.versioned import Picture
from .rendering.page import page
from .rendering.sections import attempt, given, live_of

UNITS_SHOWN = 60
SORTS = {
    "unit": "number",
    "max": "max activation",
    "mean": "mean activation",
    "active": "fraction of images activating",
    "selectivity": "class selectivity",
}
FILTERS = ("dead", "min_active", "max_active", "min_selectivity", "label")
"""The parameters of the address that leave units out."""
CELLS_LINKED = 1024
"""A picture of more filters has no links in it."""


@dataclass(frozen=True)
class FilterPicture:
    """The weights of a layer or of one unit. linked: whether its cells lead to units."""

    facts: FiltersAnswer
    picture: Picture
    linked: bool


def layer(
    request: Request,
    served: ServedStore,
    name: str,
    query: UnitQuery,
    *,
    start: int,
    asked: Mapping[str, object],
    weights: bool,
) -> Response:
    """Return the units from place `start`. asked: the parameters of the address, for the links to its other pages."""
    row = served.store.layer(name)
    tried = attempt(lambda: unit_queries.some_units(served, name, query, start, start + UNITS_SHOWN))
    found, units = tried.found or (0, [])
    of_layer = served.analysis.units.layer(name)
    layers = [one.layer for one in served.store.layers]
    place = layers.index(name)
    return page(
        request,
        "layer.html",
        status=tried.status,
        **given(served),
        layer=row,
        guessed=served.store.manifest.guessed(name),
        before=layers[place - 1] if place else None,
        after=layers[place + 1] if place + 1 < len(layers) else None,
        query=query,
        asked=asked,
        filtered=any(asked.get(name) not in (None, "") for name in FILTERS),
        labels=[one.label for one in served.analysis.classes.rows()],
        sorts=SORTS,
        found=found,
        units=units,
        ranked=of_layer.ranked,
        atlases=served.layer_atlases([name]),
        dead=int((of_layer.values["active"] == 0).sum()),
        problem=tried.problem,
        start=start,
        shown=UNITS_SHOWN,
        filters=attempt(lambda: filter_picture(live_of(request), served, name, None)) if weights else None,
    )


def filter_picture(live: Live, served: ServedStore, layer: str, unit: int | None) -> FilterPicture:
    """Return that of a layer that reads the image, or of one unit. Raises as `live_filters.filters`."""
    view = FilterView(layer, unit, zoom=1)
    facts = describe_filters(live, served, view)
    return FilterPicture(
        facts, filters(live, served, view), unit is None and facts.mosaic.cells <= CELLS_LINKED
    )
