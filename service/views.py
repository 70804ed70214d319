"""What the pages show: each function answers a question from one version of a store and fills its template."""

import time
from dataclasses import dataclass

from fastapi import Request, Response

from ..common.errors import StoreNotFoundError, UnitscopeError
from ..index.schema import LayerRow
from . import ask, unit_questions
from .addresses import version
from .answers import ImageAnswer, NeighborsAnswer
from .answers_units import PatchesAnswer
from .look import page
from .nearest import neighbors_of_image
from .pictures import read_pixels
from .problem_kinds import status_of
from .registry import Registry, ServedStore

PATCHES = 24
NEIGHBORS = 24
MORE = 100
UNITS_SHOWN = 60
_BLOCKED_SECONDS = 3.0
STRIP = 14
"""Units of each layer that the overview shows."""


@dataclass(frozen=True)
class LayerStrip:
    """One layer and some of its units that are not dead."""

    layer: LayerRow
    units: list[int]


def home(request: Request, registry: Registry) -> Response:
    """The stores."""
    stores, failed = [], []
    for name in registry.names():
        try:
            stores.append(ask.describe(registry.get(name).value))
        except UnitscopeError as error:
            failed.append(str(error))
    return page(request, "home.html", stores=stores, failed=failed)


def overview(request: Request, served: ServedStore) -> Response:
    """What was swept, and the three questions."""
    strips = [_strip(served, layer) for layer in served.store.layers]
    url = served.store.folder.url
    return page(
        request, "overview.html", store=ask.describe(served), strips=strips, url=url, v=version(served)
    )


def _strip(served: ServedStore, layer: LayerRow) -> LayerStrip:
    table = served.store.units(layer.layer).select(["unit", "active"])
    units = [row["unit"] for row in table.to_pylist() if row["active"]]
    return LayerStrip(layer, units[:STRIP])


def layer(request: Request, served: ServedStore, name: str, start: int) -> Response:
    """The units of a layer from number `start`, each with its best patch."""
    row = served.store.layer(name)
    start = min(start, max(0, row.units - 1))
    return page(
        request,
        "layer.html",
        store=ask.describe(served),
        layer=row,
        units=unit_questions.some_units(served, name, start, start + UNITS_SHOWN),
        start=start,
        shown=UNITS_SHOWN,
        v=version(served),
    )


def unit(
    request: Request, served: ServedStore, layer_name: str, number: int, *, k: int, where: str | None
) -> Response:
    """The strongest patches of a unit."""
    row, statistics = served.store.layer(layer_name), unit_questions.unit(served, layer_name, number)
    found: PatchesAnswer | None = None
    problem, status = None, 200
    try:
        found = unit_questions.patches(served, layer_name, number, k=k, where=where)
    except UnitscopeError as error:
        problem, status = str(error), status_of(error)[0]
    return page(
        request,
        "unit.html",
        status=status,
        store=ask.describe(served),
        layer=row,
        unit=statistics,
        found=found,
        more=MORE if found and len(found.patches) == k < MORE else None,
        where=where or "",
        problem=problem,
        blocked=_blocked_lately(served, found.patches[0].image_id) if found and found.patches else None,
        columns=served.store.images_schema.names,
    )


def neighbors(request: Request, served: ServedStore, image_id: int, k: int, where: str | None) -> Response:
    """An image and the images nearest to it."""
    image = ask.image(served, image_id)
    found, problem, status = _neighbors(served, image, k, where)
    return page(
        request,
        "neighbors.html",
        status=status,
        store=ask.describe(served),
        image=image,
        found=found,
        where=where or "",
        problem=problem,
        blocked=_blocked(served, image_id) if image.status == "ok" else None,
        columns=served.store.images_schema.names,
        v=version(served),
    )


def _neighbors(
    served: ServedStore, image: ImageAnswer, k: int, where: str | None
) -> tuple[NeighborsAnswer | None, str | None, int]:
    """The neighbours, or why there are none and the page's status. That an image failed is no error of the page."""
    if image.status != "ok":
        return None, f"This image is {image.status}: it has no feature, and so no neighbours.", 200
    try:
        ann = served.ann().value
        found = neighbors_of_image(served, ann, image.image_id, k=k, metric=None, where=where, exact=False)
    except StoreNotFoundError as error:  # no index yet: the image is shown all the same
        return None, str(error), 200
    except UnitscopeError as error:
        return None, str(error), status_of(error)[0]
    return found, None, 200


def _blocked_lately(served: ServedStore, image_id: int) -> str | None:
    """As `_blocked`, remembered for some seconds: a page of many images does not wait for a far dataset each time."""
    when, problem = served.blocked
    if time.monotonic() - when > _BLOCKED_SECONDS:
        problem = _blocked(served, image_id)
        served.blocked = (time.monotonic(), problem)
    return problem


def _blocked(served: ServedStore, image_id: int) -> str | None:
    """Why pixels cannot be had from the dataset, found out on one image; the page then shows thumbnails."""
    try:
        read_pixels(served, image_id)
    except UnitscopeError as error:
        return str(error)
    return None
