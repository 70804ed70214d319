"""The FastAPI application: the API, the pages, health. Made once for a process by `server.py`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from .api import atlases as api_atlases
from .api import classes as api_classes
from .api import images as api_images
from .api import live as api_live
from .api import neighbors as api_neighbors
from .api import overlays as api_overlays
from .api import pictures as api_pictures
from .api import regions as api_regions
from .api import stores as api
from .api import units as api_units
from .api.fast_path import FAST_ROUTES
from .error_pages import add_handlers, too_large
from .http import health, metrics
from .http.connections import Connections
from .http.fast_path import FastPath
from .http.instrumentation import NoteRoute, Observe
from .http.layer_paths import LayerPaths
from .http.metrics import Metrics
from .http.openapi import complete
from .http.origins import Hosts
from .http.security import Guard
from .http.static import MemoryFiles
from .live.options import LiveOptions
from .live.supervisor import LiveModel
from .pages import routes as pages
from .pages.rendering.page import STATIC, STATIC_VERSION
from .stores.registry import Registry
from .stores.trusted import Trusted
from .warm_up import warm_up


class Service(FastAPI):
    """A FastAPI application that observes every request, and whose OpenAPI document knows of problems and Arrow."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return what counts and logs, and what guards, are around what answers failures, too."""
        self.state.routes = super().build_middleware_stack()
        inner = LayerPaths(FastPath(self.state.routes, FAST_ROUTES))
        return Observe(Guard(inner, self.state.hosts, too_large), self.state.metrics)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            complete(super().openapi())
        return super().openapi()


LIVE = LiveOptions()
HEAD_START = 0.75
"""Seconds before the first request: in them all pages without neighbours are warm in most stores."""


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncGenerator[None]:
    """Return the model worker ends with the service. The warm-up has a head start on who comes first."""
    ready = asyncio.Event()
    warming = app.state.warming = (
        asyncio.create_task(warm_up(app, app.state.routes, ready)) if app.state.warm else None
    )
    if warming is not None:
        with suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), HEAD_START)
    yield
    if warming is not None:
        warming.cancel()
    app.state.live.close()


def create_app(
    stores: list[str],
    *,
    hosts: Hosts | None = None,
    live: LiveOptions | None = LIVE,
    warm: bool = False,
    trust: Trusted | None = None,
) -> Service:
    """Return the service of finished stores. Raises StoreError for one that cannot be opened.

    trust: what of the model and the dataset that a store names may be used; by default of what this user swept here.
    hosts: the names that requests may be addressed to; None for any. live: of the model worker, which the first
    request that needs it starts; None for none. warm: whether to make the first requests of each kind quick.
    """
    app = Service(
        title="Unitscope",
        version=metadata.version("unitscope"),
        description="What every unit of a trained vision model and every image of a dataset did.",
        docs_url=None,
        redoc_url=None,
        lifespan=_life,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `Observe` has its own
    )
    app.state.registry, app.state.warm = Registry(stores, (trust or Trusted()).of), warm
    app.state.live = LiveModel(live)
    app.state.connections = Connections()
    app.state.metrics = Metrics(app.state.registry, app.state.connections.refused)
    app.state.metrics.watch_live(app.state.live.status)
    add_handlers(app)
    for part in (  # what is asked for most comes first: an address is compared with one route after the other
        api_units,
        api_neighbors,
        api_pictures,
        api_atlases,
        api_overlays,
        api_regions,
        api_images,
        api,
        api_classes,
        api_live,
        pages,
        health,
        metrics,
    ):
        # `include_router` would build them again at the first request.
        app.router.routes.extend(part.router.routes)
    app.mount("/static", MemoryFiles(STATIC, STATIC_VERSION), name="static")
    app.state.hosts = hosts
    app.add_middleware(NoteRoute)
    return app
