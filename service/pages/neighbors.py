"""What the page of neighbours shows: what the model finds like an image, an upload, or a region of an image."""

from dataclasses import dataclass

from fastapi import Request, Response

from ...common.frame import Box
from ...index.datasets.exif import marked
from ..queries import stores as store_queries
from ..queries.neighbors import Search
from ..queries.pixels import preview
from ..schemas.images import ImageAnswer
from ..schemas.live import RegionNeighborsAnswer, UploadNeighborsAnswer
from ..schemas.neighbors import NeighborsAnswer
from ..stores.registry import ServedStore
from .images import neighbors_tried
from .rendering.page import page
from .rendering.sections import Attempt, attempt, blocked, given, live_of

NEIGHBORS = 24
UPLOAD_SIDE = 384
"""The longer side of an upload as its page shows it."""
GRID = 4
"""Regions along each side of an image that can be chosen by a link."""


@dataclass(frozen=True)
class Region:
    """A part of an image that can be asked about."""

    box: Box
    name: str

    @property
    def text(self) -> str:
        """As in an address."""
        return ",".join(map(str, self.box))


def of_image(
    request: Request, served: ServedStore, image_id: int, *, box: Box | None, k: int, where: str | None
) -> Response:
    """Return the neighbours of an image, or of a box of it. Raises NotFoundError."""
    image = store_queries.image(served, image_id)
    pixels_blocked = blocked(served, image_id) if image.status == "ok" else None
    tried: Attempt[NeighborsAnswer] | Attempt[RegionNeighborsAnswer]
    if box is None or image.status != "ok":
        tried = neighbors_tried(served, image, k, where)
    else:
        tried = attempt(
            lambda: live_of(request).neighbors_of_region(
                served, served.ann().value, image_id, box, Search(k=k, where=where or None)
            )
        )
    shown = tried.found.box if isinstance(tried.found, RegionNeighborsAnswer) else box
    return _page(
        request,
        served,
        tried,
        where,
        image=image,
        box=shown,
        regions=_regions(image),
        blocked=pixels_blocked() if pixels_blocked else None,
        asked={"image": image_id, "box": ",".join(map(str, shown)) if shown else None, "where": where},
    )


def of_upload(request: Request, served: ServedStore, data: bytes, where: str | None) -> Response:
    """Return the neighbours of an image of one's own, which is shown and not kept."""
    tried: Attempt[UploadNeighborsAnswer] = attempt(
        lambda: live_of(request).neighbors_of_upload(
            served, served.ann().value, data, Search(k=NEIGHBORS, where=where or None)
        )
    )
    return _page(
        request,
        served,
        tried,
        where,
        upload=preview(marked(data, served.store.manifest.exif), UPLOAD_SIDE) if tried.found else None,
        uploaded=True,
    )


def _page(
    request: Request,
    served: ServedStore,
    tried: Attempt[NeighborsAnswer] | Attempt[RegionNeighborsAnswer] | Attempt[UploadNeighborsAnswer],
    where: str | None,
    **more: object,
) -> Response:
    return page(
        request,
        "neighbors.html",
        status=tried.status,
        **given(served),
        found=tried.found,
        problem=tried.problem,
        where=where or "",
        columns=served.store.images_schema.names,
        **more,
    )


def _regions(image: ImageAnswer) -> list[Region]:
    """Return the cells of a grid over the image; fewer where it has fewer pixels."""
    if not image.width or not image.height or image.status != "ok":
        return []
    down, across = min(GRID, image.height), min(GRID, image.width)
    ys = [image.height * row // down for row in range(down + 1)]
    xs = [image.width * column // across for column in range(across + 1)]
    return [
        Region((xs[column], ys[row], xs[column + 1], ys[row + 1]), f"row {row + 1}, column {column + 1}")
        for row in range(down)
        for column in range(across)
    ]
