"""`by_layer/<layer>/`: what is built from a store for one of its layers, each as the store has it of its own features.

`ann/` and `knn/`: the index and the graph over `layer_features/<layer>/`. `atlas/units/`: the map of the layer's units.
`atlas/activations/`: the map of activations at single positions, and `activations/`, the sample that it is made from.
"""

from ..storage.folder import Folder
from ..storage.layer_names import folder_name

FOLDER = "by_layer"
UNITS, ACTIVATIONS = "units", "activations"
"""The names of a layer's own atlases."""
KINDS = (UNITS, ACTIVATIONS)


def layer_folder(folder: Folder, layer: str) -> Folder:
    """Return the folder of what is built for a layer."""
    return folder.below(f"{FOLDER}/{folder_name(layer)}")


def sample_folder(folder: Folder, layer: str) -> Folder:
    """Return where the sample of a layer's activations lies, with its own `ann/` and `knn/`."""
    return layer_folder(folder, layer).below(ACTIVATIONS)
