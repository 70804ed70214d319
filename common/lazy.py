"""Exports names from a package without importing the modules that define them (PEP 562)."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy(package: str, **modules: str) -> Callable[[str], Any]:
    """Return a package's `__getattr__`, which imports a module when a name that it defines is first used.

    modules: for each name the module that defines it, below the package. A name must differ from every module of its
    package, which the import system would put in its place.

        if TYPE_CHECKING:
            from .atlas import Atlas
        else:
            __getattr__ = lazy(__name__, Atlas="atlas")
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
