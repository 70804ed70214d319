"""Where a network comes from: torchvision, timm, transformers or a Python file, with its weights and preprocessing."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .preprocess import Preprocess
    from .spec import ModelSpec, parse_spec
else:
    __getattr__ = lazy(
        __name__,
        ModelSpec="spec",
        Preprocess="preprocess",
        parse_spec="spec",
    )

__all__ = [
    "ModelSpec",
    "Preprocess",
    "parse_spec",
]
