"""Nearest neighbours: exact search, the approximate index, and the graph of all neighbours."""

from typing import TYPE_CHECKING

from ...common.lazy import lazy

if TYPE_CHECKING:
    from .build import AnnReport
    from .exact import Vectors, nearest
    from .graph import KnnGraph, knn_graph
    from .graph_lookup import NeighborGraph
    from .index import Found, NeighborIndex
    from .tune import OperatingPoint
else:
    __getattr__ = lazy(
        __name__,
        AnnReport="build",
        Found="index",
        KnnGraph="graph",
        NeighborGraph="graph_lookup",
        NeighborIndex="index",
        OperatingPoint="tune",
        Vectors="exact",
        knn_graph="graph",
        nearest="exact",
    )

__all__ = [
    "AnnReport",
    "Found",
    "KnnGraph",
    "NeighborGraph",
    "NeighborIndex",
    "OperatingPoint",
    "Vectors",
    "knn_graph",
    "nearest",
]
