"""What the page of a layer's own atlas shows, and the panel beside it: a unit, or a sample and the mean of its cell."""

from typing import Any

from fastapi import Request, Response

from ...index.layer_atlas import LayerAtlas
from ..answers.atlases import ViewName
from ..answers.layer_atlases import Kind
from ..fresh import Version
from ..http.answering import part_version
from ..questions import layer_atlases as questions
from ..questions.atlases import measures
from ..questions.tiles import Spot
from ..registry import ServedStore
from .addresses import layer_atlas_url
from .look import page
from .parts import given

VIEWS: tuple[ViewName, ...] = ("nearest", "assigned", "scatter")
USUAL: dict[Kind, ViewName] = {"units": "assigned", "activations": "nearest"}
"""What is seen first."""
ALIKE: dict[Kind, tuple[str, str]] = {
    "units": ("units", "alike in how they fire"),
    "activations": ("samples", "alike in their activations"),
}
"""What is on the map, and what the layout keeps together."""


def layer_atlas(request: Request, served: ServedStore, layer: str, kind: Kind) -> Response:
    """A layer's atlas. Raises LayerError, StoreNotFoundError."""
    found = served.layer_atlas(layer, kind)
    return page(
        request,
        "layer_atlas.html",
        **given(served),
        layer=served.store.layer(layer),
        kind=kind,
        atlas=questions.describe(served, found.value, kind),
        measures=measures(found.value.atlas, *ALIKE[kind]),
        pane=_pane(served, found, kind),
        usual=USUAL[kind],
    )


def panel(request: Request, served: ServedStore, layer: str, kind: Kind, spot: Spot) -> Response:
    """What the script shows beside the map of a place on it."""
    found = served.layer_atlas(layer, kind)
    cell = questions.at(served, found, kind, spot)
    return page(request, "layer_atlas_panel.html", **given(served), cell=cell)


def _pane(served: ServedStore, found: Version[LayerAtlas], kind: Kind) -> dict[str, Any]:
    """What the script reads."""
    grids: dict[str, Any] = {}
    for name in VIEWS:
        one = questions.tiles(served, found, kind, name)
        fields = ("rows", "columns", "cell", "tile", "width", "height", "address")
        grids[name] = {field: getattr(one, field) for field in fields} | {"levels": len(one.levels)}
    return {
        "api": questions.base_address(served, found.value.layer, kind),
        "page": layer_atlas_url(served.name, found.value.layer, kind),
        "version": part_version(found),
        "grids": grids,
    }
