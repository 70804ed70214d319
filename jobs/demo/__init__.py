"""The demo: a made-up dataset of scenes, a network trained on it, a sweep, an index and an atlas."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .run import DemoReport, demo
else:
    __getattr__ = lazy(
        __name__,
        DemoReport="run",
        demo="run",
    )

__all__ = [
    "DemoReport",
    "demo",
]
