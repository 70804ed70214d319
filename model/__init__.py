"""The network under study: load, preprocess, run, find what positions see. No disk formats, no Ray, no HTTP."""

from typing import TYPE_CHECKING

from ..common.lazy import lazy

if TYPE_CHECKING:
    from .capture import Capture, Captured
    from .feature import Feature
    from .kernels import Filters, filters_of
    from .layers import Layer, LayerList, list_layers, select_layers
    from .maps import Observed, observe
    from .sources.load import LoadedModel, load_model
else:
    __getattr__ = lazy(
        __name__,
        Capture="capture",
        Captured="capture",
        Feature="feature",
        Filters="kernels",
        Layer="layers",
        LayerList="layers",
        LoadedModel="sources.load",
        Observed="maps",
        filters_of="kernels",
        list_layers="layers",
        load_model="sources.load",
        observe="maps",
        select_layers="layers",
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
