"""What the first pages show: the stores, and of one store what was swept and what is noteworthy."""

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request, Response

from ...common.errors import UnitscopeError
from ...index.format.layer_row import LayerRow
from ..queries import classes as class_queries
from ..queries import stores as store_queries
from ..schemas.classes import DeadUnitsAnswer
from ..stores.registry import Registry, ServedStore
from .rendering.page import page
from .rendering.sections import given

STRIP = 14
"""Units of each layer that the overview shows."""
BAR_WIDTH, BAR_HEIGHT = 56.0, 92.0
"""The largest bar of the picture of the network."""
_LEAST_BAR = 5.0


@dataclass(frozen=True)
class LayerFigure:
    """One layer of the picture of the network: its bar's width and height, and how high the dead units' part is."""

    layer: LayerRow
    width: float
    height: float
    dead: DeadUnitsAnswer
    dead_height: float
    shown: list[int]


def home(request: Request, registry: Registry) -> Response:
    """Return the stores."""
    stores, failed = [], []
    for name in registry.names():
        try:
            stores.append(store_queries.describe(registry.get(name).value))
        except UnitscopeError as error:
            failed.append(str(error))
    return page(request, "home.html", stores=stores, failed=failed)


def overview(request: Request, served: ServedStore) -> Response:
    """Return what was swept, what is noteworthy, and the three questions."""
    noted = class_queries.overview(served)
    return page(
        request,
        "overview.html",
        **given(served),
        **_sentences(served),
        figures=_figures(served, noted.dead),
        noted=noted,
    )


def _sentences(served: ServedStore) -> dict[str, Any]:
    """Return what the model and the dataset are, in short words; their whole names go beside."""
    manifest = served.store.manifest
    model, dataset = manifest.model, str(manifest.dataset.get("path", ""))
    feature = model.get("feature")
    return {
        "model_name": _last(model["spec"]),
        "input_size": model["input_size"],
        "classes": len(served.store.classes or ()),
        "feature": feature if isinstance(feature, dict) else {},
        "dataset": dataset,
        "dataset_name": _last(dataset) or dataset,
        "dataset_kind": str(manifest.dataset.get("kind", "dataset")),
    }


def _last(path: str) -> str:
    return PurePosixPath(path).name


def _figures(served: ServedStore, dead: list[DeadUnitsAnswer]) -> list[LayerFigure]:
    layers = served.store.layers
    most_units = max(layer.units for layer in layers)
    widest = max(math.sqrt(layer.height * layer.width) for layer in layers)
    found: list[LayerFigure] = []
    for layer, none in zip(layers, dead, strict=True):
        height = max(_LEAST_BAR, BAR_HEIGHT * math.sqrt(layer.units / most_units))
        width = max(_LEAST_BAR, BAR_WIDTH * math.sqrt(math.sqrt(layer.height * layer.width) / widest))
        share = none.dead / max(none.units, 1)
        found.append(LayerFigure(layer, width, height, none, height * share, _strip(served, layer.layer)))
    return found


def _strip(served: ServedStore, layer: str) -> list[int]:
    active = served.analysis.units.layer(layer).values["active"].tolist()
    return [unit for unit, share in enumerate(active) if share > 0][:STRIP]
