"""Which things outside a store may be used because the store names them: the model's code and weights, the dataset.

A store may be somebody else's. Its manifest is data: it names a Python file, a file of weights and a dataset, and none
of them is imported, read or fetched unless the person who opens the store allowed it, named it, or swept this very
store on this machine (`remembered.py`). Networks of torchvision and timm, with weights that these libraries know, are
always allowed: their code is installed here.
"""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...common.errors import DatasetNotAllowedError, ModelNotAllowedError, StoreDamagedError
from ..datasets.options import DatasetOptions
from ..format.manifest import Manifest
from .remembered import recall

_LIBRARY = re.compile(r"torchvision:\w+(@\w+)?|timm:\w[\w.\-]*(@random)?", re.ASCII)
"""Names of networks whose code and weights are a library's own: no path, no repository."""
_SHOWN = 200


@dataclass(frozen=True)
class Trust:
    """What the person who opens a store allows.

    model, data: whether to use the model and the dataset that its manifest names. spec, weights, dataset: named by the
    person instead.
    """

    model: bool = False
    data: bool = False
    spec: str | None = None
    weights: str | None = None
    dataset: str | None = None


NOTHING = Trust()
"""What is the case where nobody said anything."""


class ModelSource(NamedTuple):
    """Where a store's network comes from: its name as `load_model` takes it, and a file of weights."""

    spec: str
    weights: str | None


def model_source(manifest: Manifest, trust: Trust = NOTHING) -> ModelSource:
    """Return the network to load for a store, if it may be. Raises ModelNotAllowedError with the ways to allow it."""
    said = _said(manifest)
    weights = trust.weights or said.weights
    if trust.spec is not None and (trust.weights is not None or said.weights is None):
        return ModelSource(trust.spec, weights)
    if trust.model:
        return ModelSource(trust.spec or said.spec, weights)
    if trust.spec is None and weights is None and _LIBRARY.fullmatch(said.spec):
        return said
    known = recall(manifest.hash)
    if known is None:
        raise ModelNotAllowedError(_why_not(manifest, said, trust))
    changed = known.changed()
    if changed is not None and trust.spec is None:
        raise ModelNotAllowedError(
            f"the network of this store is not run: {changed} since this user swept the store. --trust-model runs it "
            "as it is now; its weights and preprocessing are compared with the store's in any case"
        )
    return ModelSource(trust.spec or known.spec, trust.weights or known.weights)


def dataset_path(manifest: Manifest, trust: Trust = NOTHING) -> str:
    """Return where a store's images may be read. Raises DatasetNotAllowedError with the ways to allow it."""
    if trust.dataset is not None:
        return trust.dataset
    path = manifest.dataset.get("path")
    if not isinstance(path, str) or not path:
        raise StoreDamagedError("store damaged: its manifest names no dataset; name it with --data PATH")
    if trust.data:
        return path
    known = recall(manifest.hash)
    if known is not None and known.dataset is not None:
        return known.dataset
    raise DatasetNotAllowedError(
        f"the images of this store are not read: its manifest says that they are at {path[:_SHOWN]!r}, and this user "
        "did not sweep the store on this machine. `serve --data PATH` names where they are, --trust-data reads them "
        "where the manifest says; thumbnails and patches are shown from the store"
    )


def dataset_options(manifest: Manifest, trust: Trust = NOTHING) -> DatasetOptions:
    """Return how a store's dataset is read: `image_root`, a folder outside it, only where the manifest is trusted.

    Raises StoreDamagedError.
    """
    options = replace(DatasetOptions.from_json(manifest.dataset), exif=manifest.exif)
    texts = [*options.select, *(each for name, each in options.to_json().items() if name != "select")]
    if not all(isinstance(each, str) for each in texts):
        raise StoreDamagedError("store damaged: its manifest does not say how the dataset is read")
    if options.image_root is None or trust.data or recall(manifest.hash) is not None:
        return options
    return replace(options, image_root=None)


def _said(manifest: Manifest) -> ModelSource:
    """Return what the manifest names. Raises StoreDamagedError where it names nothing."""
    spec, weights = manifest.model.get("spec"), manifest.model.get("weights_file")
    if not isinstance(spec, str) or not isinstance(weights, str | None) or "\0" in spec + (weights or ""):
        raise StoreDamagedError(
            "store damaged: its manifest does not say which network was swept; sweep again into a new folder"
        )
    return ModelSource(spec.strip(), weights)


def _why_not(manifest: Manifest, said: ModelSource, trust: Trust) -> str:
    named = [] if _LIBRARY.fullmatch(said.spec) or trust.spec else [f"the code {said.spec[:_SHOWN]!r}"]
    named += [f"the weights {said.weights[:_SHOWN]!r}"] if said.weights and not trust.weights else []
    what = " and ".join(named) or "a network"
    return (
        f"the network of this store is not run: its manifest names {what}, and this user did not sweep the store on "
        "this machine. If you trust whoever made it, --trust-model loads what it names; `serve --model SPEC` and "
        "`serve --weights FILE` name copies of your own instead. Everything precomputed is answered without the network"
    )
