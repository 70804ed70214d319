"""What the model worker must know of a store: which network, with which weights, and how the sweep computed."""

from ...common.errors import StoreDamagedError
from ...index.format.manifest import Manifest
from ...index.store.trust import NOTHING, ModelSource, Trust, model_source
from .protocol import Head


def model_facts(manifest: Manifest, trust: Trust = NOTHING) -> Head:
    """Return what the worker must know of a store to load its model, and to tell whether it is the same and computes
    alike.

    Raises ModelNotAllowedError for a model that nobody allowed, StoreDamagedError for a manifest that does not say it.
    """
    try:
        return _model_facts(manifest, model_source(manifest, trust))
    except KeyError as error:
        raise StoreDamagedError(
            f"the manifest of this store does not say {error} of the model, so that the network cannot be asked: it is "
            "damaged or of another release; sweep again into a new folder"
        ) from error


def _model_facts(manifest: Manifest, source: ModelSource) -> Head:
    model = manifest.model
    return {
        "spec": source.spec,
        "weights": source.weights,
        "weights_fingerprint": manifest.fingerprints["weights"],
        "preprocessing_fingerprint": manifest.fingerprints["preprocessing"],
        "feature": model["feature"],
        "output": model.get("output"),
        "swept_by": {
            "device": manifest.options.get("device"),
            "precision": manifest.options.get("precision"),
            "torch": manifest.software.get("torch"),
            **manifest.machine,
        },
    }
