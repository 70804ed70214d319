"""A network that several threads run at a time, each a copy of its own that shares the weights."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext

from torch import Tensor, nn

from ...common.errors import SweepError, UnitscopeError
from ...model.capture.capture import Capture, Captured
from ...model.running.replica import replica


class ThreadNetworks:
    """Each thread runs a replica of the network under its own hooks; where the network cannot be copied, they take
    turns."""

    def __init__(self, network: nn.Module, hook: Callable[[nn.Module], Capture]) -> None:
        """Set up the network. hook: what is captured of a network, not yet entered."""
        self._network, self._hook = network, hook
        self._held = threading.local()
        self._lock = threading.RLock()
        self._shared: Capture | None = None
        self._open = ExitStack()

    def __enter__(self) -> "ThreadNetworks":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
        self._held, self._shared = threading.local(), None

    def run(self, batch: Tensor) -> tuple[object, Captured]:
        """Return what the network gives for a batch that it takes, and what was captured. Raises SweepError where it
        fails.
        """
        capture, turn = self._capture(batch)
        with turn:
            try:
                output: object = capture.network(batch)
            except UnitscopeError:
                raise
            except Exception as error:
                shape = "x".join(map(str, batch.shape))
                raise SweepError(
                    f"the network failed on a batch of shape {shape}: {type(error).__name__}: {error}"
                ) from error
            return output, capture.take()

    def _capture(self, batch: Tensor) -> tuple[Capture, AbstractContextManager[object]]:
        """Return this thread's network under its hooks, and what to hold while it runs."""
        held: Capture | None = getattr(self._held, "capture", None)
        if held is not None:
            return held, nullcontext()
        with self._lock:
            if self._shared is None and (own := replica(self._network, batch)) is not None:
                self._held.capture = self._open.enter_context(self._hook(own))
                return self._held.capture, nullcontext()
            self._shared = self._shared or self._open.enter_context(self._hook(self._network))
            return self._shared, self._lock
