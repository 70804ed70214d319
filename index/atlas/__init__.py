"""Atlases of images, units and activations: layout, tiles, and their files."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .activation_sample import ActivationSample
    from .atlas import Atlas, list_atlases
    from .scatter import Scatter
    from .store_atlas import StoreAtlas
    from .tiles import Pyramid, Tiles
    from .writer import write_atlas
else:
    __getattr__ = lazy(
        __name__,
        ActivationSample="activation_sample",
        Atlas="atlas",
        Pyramid="tiles",
        Scatter="scatter",
        StoreAtlas="store_atlas",
        Tiles="tiles",
        list_atlases="atlas",
        write_atlas="writer",
    )

__all__ = [
    "ActivationSample",
    "Atlas",
    "Pyramid",
    "Scatter",
    "StoreAtlas",
    "Tiles",
    "list_atlases",
    "write_atlas",
]
