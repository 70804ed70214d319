"""Building from a finished store: indexes, atlases, samples of activations."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .activation_atlas import build_activation_atlas
    from .atlas import AtlasReport, build_atlas
    from .index import build_index
    from .units_atlas import build_units_atlas
else:
    __getattr__ = lazy(
        __name__,
        AtlasReport="atlas",
        build_activation_atlas="activation_atlas",
        build_atlas="atlas",
        build_index="index",
        build_units_atlas="units_atlas",
    )

__all__ = [
    "AtlasReport",
    "build_activation_atlas",
    "build_atlas",
    "build_index",
    "build_units_atlas",
]
