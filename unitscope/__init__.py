"""Unitscope: sweep an image dataset through a vision model once, and query what every unit and every image did.

A store is read by

    from unitscope.index.store import Store

    store = Store.open("store")
    store.top("features.10", 17, k=9, where="correct = false")

and a running service by `unitscope.service.client.Client`.
"""

__version__: str


def __getattr__(name: str) -> str:
    """Look up `__version__` when it is asked for, since that takes some milliseconds."""
    if name == "__version__":
        from importlib.metadata import version

        return version("unitscope")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
