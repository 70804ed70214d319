"""Loads again the network that a store was swept with."""

from ...common.errors import UnitscopeError
from ...model.sources.load import LoadedModel, load_model


def load_swept(spec: str, weights: str | None, *, fingerprints: dict[str, str]) -> LoadedModel:
    """Return spec, weights, fingerprints: as the store's manifest has them.

    Raises UnitscopeError where weights or preprocessing are others now.
    """
    model = load_model(spec, weights=weights)
    if (model.fingerprint, model.preprocess.fingerprint) != (
        fingerprints["weights"],
        fingerprints["preprocessing"],
    ):
        raise UnitscopeError(
            f"{weights or spec} is no longer the network that was swept: its weights or its PREPROCESS have changed; "
            "put them back, or sweep again into a new folder"
        )
    return model
