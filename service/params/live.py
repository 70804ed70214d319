"""What live requests may hold: images in bodies, how maps are shown, and the way to the model."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ...common.errors import UsageError
from ..http.security import UPLOAD_BYTES
from ..live.supervisor import LiveModel
from ..queries.live import Live, MapView
from ..queries.neighbors import Search
from ..schemas.live import Scale
from ..stores.urls import BOX_PATTERN
from .common import K, MetricName, Where

UnitChoice = Annotated[int | None, Query(ge=0, le=2**31, description="one unit; default: all")]
ScaleChoice = Annotated[
    Scale | None,
    Query(description="what is white: the greatest of each map, of the layer, or of the unit in the dataset"),
]
Zoom = Annotated[int, Query(ge=1, le=32, description="pixels of the picture for a position, along each axis")]
Overlay = Annotated[
    bool,
    Query(description="of one unit: as opaque as it is active (black is 0 then), to be laid over the image"),
]
BoxText = Annotated[str, Query(pattern=BOX_PATTERN, description="x0,y0,x1,y1 in pixels of the image")]

_BINARY = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"image": _BINARY["schema"]},
        "required": ["image"],
        "additionalProperties": False,
    }
}
IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"an image file of at most {UPLOAD_BYTES:,} bytes, by itself or as the form's field `image`",
        "content": {
            "image/jpeg": _BINARY,
            "image/png": _BINARY,
            "application/octet-stream": _BINARY,
            "multipart/form-data": _FORM,
        },
    }
}


async def live_of(request: Request) -> AsyncGenerator[Live]:
    """Yield the model, with an event that says when the client has gone away: then it gives up its place."""
    gone = Event()
    watch = asyncio.create_task(_watch(request, gone))
    try:
        yield Live(request.app.state.live, gone)
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(request: Request, gone: Event) -> None:
    """Watch for the end of the connection, all that can be received after the body."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def posted_image(request: Request) -> bytes:
    """Return the image in the body, or in the first file of a form. Raises ModelUnavailableError, UsageError, and a
    413.
    """
    model: LiveModel = request.app.state.live
    model.refuse_if_full()
    try:
        data = await _sent_image(request)
    except ClientDisconnect as error:
        raise HTTPException(400, "the request ended before its body did") from error
    if not data:
        raise UsageError("the request has no body; send an image file")
    if len(data) > UPLOAD_BYTES:
        raise HTTPException(413, f"an image is at most {UPLOAD_BYTES:,} bytes")
    return data


Posted = Annotated[bytes, Depends(posted_image)]


async def _sent_image(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1, max_fields=64) as form:
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        if not files:
            raise UsageError("the form has no file; send the image as its field `image`")
        return await files[0].read()


async def live_after(request: Request, _: Posted) -> AsyncGenerator[Live]:
    """Do the same as `live_of`, once the body has been read."""
    async for live in live_of(request):
        yield live


LiveHere = Annotated[Live, Depends(live_of)]
LiveAfter = Annotated[Live, Depends(live_after)]


@dataclass(frozen=True)
class Shown:
    """How maps are shown: what the address of a picture says beside the layer."""

    unit: int | None
    scale: Scale | None
    zoom: int
    overlay: bool

    def of(self, layer: str) -> MapView:
        """Return the same of a layer."""
        return MapView(layer, self.unit, self.scale, self.zoom, self.overlay)


def shown_as(
    unit: UnitChoice = None,
    scale: ScaleChoice = None,
    zoom: Zoom = 1,
    overlay: Overlay = False,
) -> Shown:
    """Read it from the address of a picture."""
    return Shown(unit, scale, zoom, overlay)


def search_of(k: K = 10, where: Where = None, metric: MetricName = None, exact: bool = False) -> Search:
    """Read it from the address of neighbours."""
    return Search(k, metric, where, exact)


View = Annotated[Shown, Depends(shown_as)]
Wanted = Annotated[Search, Depends(search_of)]
