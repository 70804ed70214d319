"""What the child process of `activation_atlas.py` begins with: there alone torch is imported, and no FAISS."""

from ...common.progress import Progress
from ...index.store.trust import Trust


def sample_in_child(
    store: str, layer: str, positions: int, seed: int, trust: Trust, *, progress: Progress
) -> None:
    """Do the same as `activation_sample.sample_activations`."""
    from .activation_sample import sample_activations

    sample_activations(store, layer, positions, seed, trust, progress=progress)
