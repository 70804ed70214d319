"""What every answer from a store must say about that store: random weights, maxima that were rounded."""

from typing import TYPE_CHECKING, Any

from .output import print_lines

if TYPE_CHECKING:
    from ..index.format.manifest import Manifest


def provenance(manifest: "Manifest") -> dict[str, Any]:
    """Return the part of a JSON answer that says what it is an answer about."""
    return {
        "model": manifest.model["spec"],
        "weights": manifest.model["weights"],
        "random_weights": bool(manifest.model["random"]),
        "maxima_dtype": manifest.options["maxima_dtype"],
        "manifest_sha256": manifest.hash,
    }


def print_notes(manifest: "Manifest") -> None:
    """Print the same for people: a line for each thing that they must not overlook, and none where there is nothing."""
    if manifest.model["random"]:
        print_lines(f"Note: the weights of {manifest.model['spec']} are random, not trained.")
    if manifest.options["maxima_dtype"] == "float16":
        print_lines("Note: the maxima are float16; images with nearly equal values may be in another order.")
