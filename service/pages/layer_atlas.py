"""What the page of a layer's own atlas shows, the panel beside it (a unit, or a sample and the mean of its cell), and
the page of a region of it."""

from typing import Literal

from fastapi import Request, Response

from ...index.atlas.layer_atlas import LayerAtlas
from ..queries import layer_atlases as questions
from ..queries import layer_regions
from ..queries.atlases import measures
from ..queries.maps import MapVersion, map_of_layer
from ..queries.regions import Drawn, ordered_items
from ..queries.tiles import outline
from ..queries.units import unit_row
from ..schemas.atlases import ViewName
from ..schemas.layer_atlases import Kind
from ..stores.registry import ServedStore
from ..stores.versioned import Version
from . import map_viewer
from .atlas_region import CLASSES_SHOWN, IMAGES_BESIDE, IMAGES_SHOWN, UNITS_SHOWN
from .map_viewer import AskedPlace, Walk
from .rendering import page
from .sections import attempt, given
from .urls import layer_atlas_url

USUAL: dict[Kind, ViewName] = {"units": "assigned", "activations": "nearest"}
"""What is seen first."""
ALIKE: dict[Kind, tuple[str, str]] = {
    "units": ("units", "similar in what activates them"),
    "activations": ("samples", "with similar activations"),
}
"""What is on the map, and what the layout keeps together."""
_VIEWS: dict[Kind, list[tuple[ViewName, str]]] = {
    "units": [("nearest", "grid"), ("assigned", "all units"), ("scatter", "scatter")],
    "activations": [("nearest", "averages"), ("assigned", "all samples"), ("scatter", "scatter")],
}


def layer_atlas(request: Request, served: ServedStore, layer: str, kind: Kind) -> Response:
    """Return a layer's atlas. Raises LayerError, NotBuiltError."""
    found = served.layer_atlas(layer, kind)
    return page(
        request,
        "layer_atlas.html",
        **given(served),
        layer=served.store.layer(layer),
        kind=kind,
        atlas=questions.describe(served, found.value, kind),
        measures=measures(found.value.atlas, *ALIKE[kind]),
        walk=_walk(map_of_layer(served, found, kind), found, kind),
    )


def panel(
    request: Request, served: ServedStore, found: Version[LayerAtlas], kind: Kind, asked: AskedPlace
) -> Response:
    """Return what the script shows beside the map of a place on it."""
    spot = asked.find(served, found.value.atlas)
    cell = questions.at(served, found, kind, spot)
    at = outline(served, found.value.atlas, spot)
    return page(request, "layer_atlas_panel.html", **given(served), cell=cell, at=at)


def region(
    request: Request,
    inside: Drawn,
    found: Version[LayerAtlas],
    kind: Kind,
    *,
    start: int,
    part: Literal["facts", "units"] | None,
) -> Response:
    """Return a region of a layer's atlas. part: the piece of it that the viewer asks for; the whole page without."""
    served, layer = inside.served, found.value.layer
    shown = IMAGES_BESIDE if part else IMAGES_SHOWN
    some = ordered_items(inside)[start : start + shown].tolist()
    units = None
    if kind == "activations" and part != "facts":
        units = attempt(lambda: layer_regions.characteristic(inside, found.value, k=UNITS_SHOWN))
    return page(
        request,
        {None: "layer_region.html", "facts": "layer_region_facts.html", "units": "region_units.html"}[part],
        **given(served),
        region=layer_regions.region(inside, layer, kind),
        members=[unit_row(served, layer, item) for item in some] if kind == "units" else [],
        samples=[] if kind == "units" else [questions.sample_answer(served, found, item) for item in some],
        units=units,
        asked={"grid": inside.grid, "region": inside.region},
        start=start,
        shown=shown,
        classes_shown=CLASSES_SHOWN,
        part=part,
    )


def _walk(shown: MapVersion, found: Version[LayerAtlas], kind: Kind) -> Walk:
    served, layer = shown.served, found.value.layer
    pane = map_viewer.pane(
        served,
        found,
        lambda view: questions.tiles(served, found, kind, view),
        atlas=kind,
        one=shown.items.one,
        api=questions.base_address(served, layer, kind),
        page=layer_atlas_url(served.name, layer, kind),
    )
    classes = map_viewer.classes(served)
    return Walk(
        one=shown.items.one,
        count=shown.items.count,
        usual=USUAL[kind],
        views=_VIEWS[kind],
        panes=[pane],
        columns=map_viewer.columns(shown),
        layers=[layer] if kind == "units" else [row.layer for row in served.store.layers],
        layer=layer,
        classes=classes,
        example=classes[0][0] if classes else ("active < 0.1" if kind == "units" else "loss > 2"),
    )
