"""Hooks that reduce every layer's output while the network runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from torch import Tensor, nn

from .feature import Feature
from .layers import Layer
from .reduce import Reduction


@dataclass(frozen=True)
class Captured:
    """One forward pass. reductions: by layer name. feature: (images, width) float32, or None where none was asked for."""

    reductions: dict[str, Reduction]
    feature: Tensor | None


class Capture:
    """`with Capture(network, layers, feature) as capture: logits = network(batch); captured = capture.take()`."""

    def __init__(
        self,
        network: nn.Module,
        layers: Sequence[Layer],
        feature: Feature | None,
        *,
        reducer: Callable[[Tensor, Layer], Reduction] | None = None,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> "Capture":
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def take(self) -> Captured:
        """What this thread's last forward pass did."""
        raise NotImplementedError
