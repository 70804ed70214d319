"""Asks the service for one page of each kind when it starts, so that no visitor waits for what a first page takes.

Where files are opened, columns read and code run for the first time. It goes on in the background, makes way for who
asks meanwhile, and is in no metrics.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from urllib.parse import unquote

import pyarrow
from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from ..common.errors import UnitscopeError
from .http.metrics import Metrics
from .pages.rendering.urls import (
    atlas_url,
    class_url,
    image_url,
    layer_url,
    neighbors_url,
    store_url,
    unit_url,
)
from .queries.image_cards import read_ahead
from .stores.registry import Registry, ServedStore
from .stores.urls import address, patch_picture_address, thumb_address

_GAP = 0.25
"""Seconds between a page and what the browser then asks for."""
_PATIENCE = 2.0


async def warm_up(app: FastAPI, routes: ASGIApp, ready: asyncio.Event) -> None:
    """Ask for the pages of all stores; then for those that need an index, whose files are first compared.

    routes: what answers inside what observes requests. ready: set between the two.
    """
    registry: Registry = app.state.registry
    for addresses in (_addresses, _searched_addresses):
        for name in registry.names():
            with suppress(UnitscopeError):  # who asks is told
                paths = addresses((await asyncio.to_thread(registry.get, name)).value)
                while (path := await asyncio.to_thread(next, paths, None)) is not None:
                    await make_way(app.state.metrics)
                    await _ask(app, routes, path)
        ready.set()
    gc.freeze()  # what is there now stays: each full collection would look at all of it again
    pyarrow.default_memory_pool().release_unused()  # of files that were read whole: 60 MB for 50,000 images


async def make_way(metrics: Metrics) -> None:
    """Wait until nobody waits for a page or for what it shows; where that never ends, at most `_PATIENCE`."""
    until = monotonic() + _PATIENCE
    while (metrics.running or monotonic() < metrics.last_answer + _GAP) and monotonic() < until:
        await asyncio.sleep(_GAP / 5)


def _addresses(served: ServedStore) -> Iterator[str]:
    """Return pages and answers of a store, what is looked at first first."""
    name, store = served.name, served.store
    yield from ("/", store_url(name))
    for row in (store.layers[0], store.layers[-1]) if store.layers else ():
        yield from (layer_url(name, row.layer), unit_url(name, row.layer, 0))
        yield patch_picture_address(served, row.layer, 0, 1)
        yield f"{layer_url(name, row.layer).replace('/stores/', '/api/v1/stores/')}/units/0/patches"
    image = _image(served)
    if image is not None:
        yield thumb_address(served, image)
    yield from (f"{store_url(name)}/{page}" for page in ("images", "classes", "live"))
    classes = served.analysis.classes.rows()
    yield from (class_url(name, one.label) for one in classes[:1])
    yield from (atlas_url(name, atlas) for atlas in served.atlases()[:1])
    read_ahead(served)


def _searched_addresses(served: ServedStore) -> Iterator[str]:
    """Return pages and answers of a store that show neighbours."""
    image = _image(served)
    if image is None:
        return
    if served.has_index:
        served.near()
    yield image_url(served.name, image)
    if served.has_index:
        yield from (neighbors_url(served.name, image=image), f"{address(served)}/neighbors?image={image}")


def _image(served: ServedStore) -> int | None:
    """Return the first image that did not fail."""
    ids = served.analysis.order.ids("status = 'ok'", "image_id", descending=False)
    return int(ids[0]) if len(ids) else None


async def _ask(app: FastAPI, routes: ASGIApp, url: str) -> None:
    """Ask for an address; what comes is left."""
    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "app": app,
        "state": {},
    }
    with suppress(Exception):  # it is reported to who asks for the same
        await routes(scope, _nothing, _left)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _left(message: Message) -> None:
    pass
