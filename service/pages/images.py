"""What the pages of one image, and of lists of images, show."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request, Response

from ...index.analysis.images import ImageSort
from ..queries import images as image_queries
from ..queries import stores as store_queries
from ..queries.live import Live, MapView
from ..queries.neighbors import Search, neighbors_in_pixels, neighbors_of_image
from ..schemas.images import ImageAnswer, ImagesAnswer
from ..schemas.live import MapsAnswer
from ..schemas.neighbors import NeighborsAnswer
from ..stores.registry import ServedStore
from ..stores.versioned import Picture
from .rendering.page import page
from .rendering.sections import Attempt, attempt, blocked, given, live_of

NEIGHBORS = 8
UNITS = 4
"""Units of each layer that an image's page shows."""
IMAGES_SHOWN = 60
CELLS_LINKED = 1024
SORTS = {"image_id": "image id", "loss": "loss", "probability": "confidence"}


@dataclass(frozen=True)
class Maps:
    """An image's activation maps: all of a layer as a mosaic, or one unit's, to be laid over the image."""

    facts: MapsAnswer
    picture: Picture
    unit: int | None
    linked: bool


def image(
    request: Request, served: ServedStore, image_id: int, *, layer: str | None, unit: int | None
) -> Response:
    """Return one image. layer, unit: whose activation maps are shown. Raises NotFoundError."""
    answer = store_queries.image(served, image_id)
    ok = answer.status == "ok"
    pixels_blocked = blocked(served, image_id) if ok else None
    maps = attempt(lambda: _maps(live_of(request), served, image_id, layer, unit)) if layer and ok else None
    reasons = (
        []
        if ok
        else [
            row["reason"]
            for row in served.store.errors(served.store.images_count)
            if row["image_id"] == image_id
        ]
    )
    return page(
        request,
        "image.html",
        status=maps.status if maps else 200,
        **given(served),
        image=answer,
        reason=reasons[0] if reasons else None,
        blocked=pixels_blocked() if pixels_blocked else None,
        strongest=image_queries.image_units(served, image_id, k=UNITS),
        kinds={row.layer: row for row in served.store.layers},
        neighbors=neighbors_tried(served, answer, NEIGHBORS, None),
        pixels=_pixel_neighbors(served, image_id) if ok else None,
        layer=layer,
        unit=unit,
        maps=maps,
        last=served.store.images_count - 1,
    )


def _maps(live: Live, served: ServedStore, image_id: int, layer: str, unit: int | None) -> Maps:
    facts = live.describe_maps(served, image_id, MapView(layer))
    view = MapView(layer, unit, overlay=unit is not None)
    linked = unit is None and facts.mosaic.cells <= CELLS_LINKED
    return Maps(facts, live.maps(served, image_id, view), unit, linked)


def neighbors_tried(
    served: ServedStore, image: ImageAnswer, k: int, where: str | None
) -> Attempt[NeighborsAnswer]:
    """Return the neighbours, or why there are none. That an image failed is not an error of the page."""
    if image.status != "ok":
        return Attempt(None, f"This image is {image.status}: it has no feature, and so no neighbours.")
    return attempt(
        lambda: neighbors_of_image(
            served, served.near().value, image.image_id, Search(k=k, where=where)
        ).answer()
    )


def _pixel_neighbors(served: ServedStore, image_id: int) -> Attempt[NeighborsAnswer]:
    """Return the images that look most like it, by their pixels; or which command makes them searchable."""
    return attempt(
        lambda: neighbors_in_pixels(served, served.pixels().value, image_id, Search(k=NEIGHBORS)).answer()
    )


def images(
    request: Request,
    served: ServedStore,
    *,
    where: str | None,
    sort: ImageSort,
    descending: bool | None,
    start: int,
    asked: Mapping[str, object],
) -> Response:
    """Return a wall of the images that a filter keeps, from place `start`. asked: the parameters of the address."""
    tried = attempt(lambda: _some_images(served, where, sort, descending, start))
    found = tried.found
    return page(
        request,
        "images.html",
        status=tried.status,
        **given(served),
        found=found,
        problem=tried.problem,
        where=where or "",
        sort=sort,
        sorts=SORTS,
        order=asked.get("order"),
        asked=asked,
        start=start,
        shown=IMAGES_SHOWN,
        columns=served.store.images_schema.names,
    )


def _some_images(
    served: ServedStore, where: str | None, sort: ImageSort, descending: bool | None, start: int
) -> ImagesAnswer:
    descending = sort != "image_id" if descending is None else descending
    ids = served.analysis.order.ids(where or None, sort, descending=descending)
    rows = image_queries.listed(served, ids[start : start + IMAGES_SHOWN].tolist())
    return ImagesAnswer(
        **store_queries.provenance_of(served),
        where=where,
        found=len(ids),
        images=[image_queries.ListedImageAnswer(**row) for row in rows],
        next=None,
    )
