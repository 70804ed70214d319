"""Guided backprop and deconvnet: the gradient by other rules at every ReLU, however the network calls it.

Sources: Springenberg et al., "Striving for Simplicity" (2015), section 3.4 (guided backprop); Zeiler and Fergus,
"Visualizing and Understanding Convolutional Networks" (2014), section 2.1 (deconvnet). Both change what a ReLU gives
backwards; pooling goes back by its own positions. Hooks on `nn.ReLU` miss a ReLU that is called as a function or a
method, so every call is met as torch makes it, in place or not, also of a module that runs several times. ReLU6 is a
ReLU that ends at 6; `clamp(min=0)` is one by another name. The maps hardly change when weights are randomised (Adebayo
et al., "Sanity Checks for Saliency Maps", 2018): they show what is in the image more than what decides.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ...common.errors import LayerError
from .gradients import gradient
from .target import Target

Rule = Literal["guided-backprop", "deconvnet"]

_RELU: dict[Callable[..., Any], bool] = {
    F.relu: False,
    F.relu_: True,
    torch.relu: False,
    torch.relu_: True,
    Tensor.relu: False,
    Tensor.relu_: True,
}
"""Each way to call it, and whether that is in place without being told to."""
_OTHERS = frozenset(
    {
        *(
            "gelu",
            "silu",
            "silu_",
            "hardswish",
            "hardswish_",
            "hardsigmoid",
            "sigmoid",
            "sigmoid_",
            "tanh",
            "tanh_",
        ),
        *(
            "elu",
            "elu_",
            "selu",
            "selu_",
            "celu",
            "celu_",
            "leaky_relu",
            "leaky_relu_",
            "prelu",
            "rrelu",
            "softplus",
        ),
        *("mish", "softsign", "logsigmoid", "glu"),
    }
)
"""Nonlinearities for which the rules say nothing."""


@dataclass(frozen=True)
class ByRule:
    """gradient: (n, 3, height, width). relus: how many were met. others: other nonlinearities → how often."""

    gradient: Tensor
    relus: int
    others: dict[str, int]

    @property
    def warning(self) -> str:
        """A sentence about what the rule does not reach; empty where it reaches all."""
        if not self.others:
            return ""
        names = ", ".join(f"{name} ({times})" for name, times in sorted(self.others.items()))
        return f"The rule changes {self.relus} ReLUs; the gradient goes by other nonlinearities as it is: {names}."


def gradient_by_rule(network: nn.Module, images: Tensor, target: Target, rule: Rule) -> ByRule:
    """Return the gradient of each image's target with the rule at every ReLU.

    Raises as `scores`, and LayerError where no ReLU ran: guided backprop and deconvnet then say nothing.
    """
    with _Rule(rule) as met:
        found = gradient(network, images, target)
    if not met.relus:
        ran = ", ".join(sorted(met.others)) or "no nonlinearity that is known"
        raise LayerError(
            f"{rule} changes the gradient at ReLUs, and none ran in this network ({ran}): use integrated-gradients, "
            "smoothgrad or grad-cam"
        )
    return ByRule(found, met.relus, dict(met.others))


class _Guided(torch.autograd.Function):
    """A ReLU up to `top`, whose backward pass is a rule's."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, rule: Rule, top: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return min(max(value, 0), top)."""
        ctx.rule = rule
        ctx.save_for_backward((value > 0) & (value < top))
        return value.clamp(0, top)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the positive part of the slope; by guided backprop only where the ReLU was active."""
        positive = slope.clamp_min(0)
        if ctx.rule == "guided-backprop":
            (active,) = ctx.saved_tensors
            positive = positive * active
        return positive, None, None


class _Rule(TorchFunctionMode):
    """Within it every ReLU that torch is asked for goes backwards by a rule."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self._rule: Rule = rule
        self.relus = 0
        self.others: Counter[str] = Counter()

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Replace a ReLU; count the other nonlinearities."""
        kwargs = kwargs or {}
        top = _top_of(func, args, kwargs)
        if top is None:
            name = getattr(func, "__name__", "")
            if name in _OTHERS:
                self.others[name.rstrip("_")] += 1
            return func(*args, **kwargs)
        self.relus += 1
        value: Tensor = args[0] if args else kwargs["input"]
        found: Any = _Guided.apply(value, self._rule, top)
        if _is_in_place(func, args, kwargs):
            return value.copy_(found)
        return found


def _top_of(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    """Return where a ReLU ends: infinity, or 6; None for what is none."""
    given = dict(zip(("input", "low", "high"), args, strict=False)) | kwargs
    if func in _RELU:
        return float("inf")
    name = getattr(func, "__name__", "")
    if name in ("relu6", "relu6_"):
        return 6.0
    if name in ("hardtanh", "hardtanh_"):
        low, high = given.get("min_val", given.get("low", -1.0)), given.get("max_val", given.get("high", 1.0))
    elif name in ("clamp", "clamp_", "clip", "clip_"):
        low, high = given.get("min", given.get("low")), given.get("max", given.get("high"))
    elif name in ("clamp_min", "clamp_min_"):
        low, high = given.get("min", given.get("low")), None
    else:
        return None
    if isinstance(low, int | float) and low == 0 and (high is None or isinstance(high, int | float)):
        return float("inf") if high is None else float(high)
    return None


def _is_in_place(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    name = getattr(func, "__name__", "")
    if name.endswith("_") or _RELU.get(func, False):
        return True
    at = {"relu": 1, "relu6": 1, "hardtanh": 3}.get(name)
    inplace = kwargs.get("inplace", args[at] if at is not None and len(args) > at else False)
    return inplace is True
