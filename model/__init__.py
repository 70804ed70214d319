"""The network under study: load, preprocess, run, find what positions see. No disk formats, no Ray, no HTTP."""

from typing import TYPE_CHECKING

from ..common.lazy import lazy

if TYPE_CHECKING:
    from .capture.capture import Capture, Captured
    from .capture.feature import Feature
    from .capture.maps import Observed, observe
    from .layers.kernels import Filters, filters_of
    from .layers.layers import Layer, LayerList, list_layers, select_layers
    from .sources.load import LoadedModel, load_model
else:
    __getattr__ = lazy(
        __name__,
        Capture="capture.capture",
        Captured="capture.capture",
        Feature="capture.feature",
        Filters="layers.kernels",
        Layer="layers.layers",
        LayerList="layers.layers",
        LoadedModel="sources.load",
        Observed="capture.maps",
        filters_of="layers.kernels",
        list_layers="layers.layers",
        load_model="sources.load",
        observe="capture.maps",
        select_layers="layers.layers",
    )

__all__ = [
    "Capture",
    "Captured",
    "Feature",
    "Filters",
    "Layer",
    "LayerList",
    "LoadedModel",
    "Observed",
    "filters_of",
    "list_layers",
    "load_model",
    "observe",
    "select_layers",
]
