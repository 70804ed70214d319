"""What the live page shows: the webcam's frames, through a layer of the network, as they come."""

from fastapi import Request, Response

from ..queries import stores as store_queries
from ..stores.registry import ServedStore
from ..stores.urls import address
from .rendering.page import page
from .rendering.sections import attempt, live_of

SCRIPT = "live.js"
_LEAST, _MOST = 64, 512
"""Pixels of the shorter side of the frames that are sent."""


def live(request: Request, served: ServedStore, layer: str | None) -> Response:
    """Return the webcam toolbox. layer: the one that is shown first; by default the first. Raises LayerError."""
    store = served.store
    chosen = store.layer(layer) if layer else store.layers[0]
    return page(
        request,
        "live.html",
        store=store_queries.describe(served),
        layers=store.layers,
        chosen=chosen.layer,
        refused=attempt(lambda: live_of(request).check_allowed(served)).problem,
        api=address(served),
        side=min(_MOST, max(_LEAST, 2 * max(store.manifest.model["input_size"]))),
    )
