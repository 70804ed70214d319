"""Runs the functions that a network gives to `torch.utils.checkpoint` as if it called them itself.

Activation checkpointing runs a part of the network without gradients and once more in the backward pass: its layers
would have no gradient by the images, and their hooks would run again when nobody expects it.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch.utils import checkpoint as library

_GENERATOR = "_checkpoint_without_reentrant_generator"
_lock = threading.Lock()
_users = [0]
_before: dict[str, Any] = {}


class _Direct:
    """In place of `CheckpointFunction`, the reentrant form."""

    @staticmethod
    def apply(function: Callable[..., Any], _preserve: bool, *args: Any) -> Any:
        return function(*args)


def _nothing_around(*_: Any, **__: Any) -> Generator[None]:
    """Return what stands in place of the generator around a function in the other form."""
    yield


@contextmanager
def no_checkpointing() -> Generator[None]:
    """Make, inside, in every thread, `torch.utils.checkpoint.checkpoint(function, …)` call `function(…)`."""
    with _lock:
        if _users[0] == 0:
            _replace()
        _users[0] += 1
    try:
        yield
    finally:
        with _lock:
            _users[0] -= 1
            if _users[0] == 0:
                for name, value in _before.items():
                    setattr(library, name, value)
                _before.clear()


def _replace() -> None:
    # `checkpoint` looks these up when it is called; whoever has imported it keeps the function itself.
    for name in list(vars(library)):
        if name == "CheckpointFunction" or name.startswith(_GENERATOR):
            _before[name] = getattr(library, name)
            setattr(library, name, _Direct if name == "CheckpointFunction" else _nothing_around)
