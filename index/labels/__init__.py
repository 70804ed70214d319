"""Labels of a dataset: what they are, which of them are the model's classes, and images that have several."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .codes import LabelCodes
    from .matching import LabelMap, resolve_labels
    from .summary import LabelFacts
else:
    __getattr__ = lazy(
        __name__,
        LabelCodes="codes",
        LabelFacts="summary",
        LabelMap="matching",
        resolve_labels="matching",
    )

__all__ = [
    "LabelCodes",
    "LabelFacts",
    "LabelMap",
    "resolve_labels",
]
