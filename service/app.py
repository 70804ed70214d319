"""The FastAPI application: the API, the pages, health. Made once for a process by `server.py`."""

from collections.abc import Awaitable, Callable
from importlib import metadata
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from . import api, pages
from .answers import Health
from .problems import add_handlers
from .registry import Registry

POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"


def create_app(stores: list[str]) -> FastAPI:
    """The service of finished stores. Raises StoreError for one that cannot be opened."""
    app = FastAPI(
        title="Unitscope",
        version=metadata.version("unitscope"),
        description="What every unit of a trained vision model and every image of a dataset did.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.registry = Registry(stores)
    add_handlers(app)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")

    @app.get("/livez")
    def livez() -> Health:
        """The process answers."""
        return Health(status="ok")

    @app.get("/readyz")
    def readyz() -> Health:
        """The stores are open."""
        return Health(status="ok")

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return app
