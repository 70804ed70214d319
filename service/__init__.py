"""The query service and its pages. Knows neither torch nor Ray: it is up in seconds, and never busy with a model."""

from typing import TYPE_CHECKING

from ..common.lazy import lazy

if TYPE_CHECKING:
    from .app import create_app
    from .server import serve
else:
    __getattr__ = lazy(
        __name__,
        create_app="app",
        serve="server",
    )

__all__ = [
    "create_app",
    "serve",
]
