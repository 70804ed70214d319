"""Clients of a running service: `Client`, and `AsyncClient` for asyncio. They need neither torch nor the web framework.

with Client("http://127.0.0.1:8000") as client:
    store = client.store("photos")
    patches = store.patches("features.10", 17, where="correct = false")
    patches.to_pandas(); store.picture(patches[0])
"""

from .atlas_endpoints import Coloring
from .client import AsyncClient, AsyncStore, Client, Store
from .endpoint import AsyncPages, Pages
from .exchange import RetryPolicy, ServiceError
from .rows import Rows

__all__ = [
    "AsyncClient",
    "AsyncPages",
    "AsyncStore",
    "Client",
    "Coloring",
    "Pages",
    "RetryPolicy",
    "Rows",
    "ServiceError",
    "Store",
]
