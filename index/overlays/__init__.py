"""Colors, clusters and selections over an atlas."""

from .clusters import Cluster, named_clusters
from .coloring import ItemColors
from .items import ImageItems, MapItems, SampleItems, UnitItems
from .overlays import Overlay, Overlays
from .regions import region_classes, region_units

__all__ = [
    "Cluster",
    "ImageItems",
    "ItemColors",
    "MapItems",
    "Overlay",
    "Overlays",
    "SampleItems",
    "UnitItems",
    "named_clusters",
    "region_classes",
    "region_units",
]
