"""The names of the model's classes."""

from ...index.store.store import Store
from ..stores.registry import ServedStore


def class_name(store: Store, index: int | None) -> str | None:
    """Return the name of the model's class, None where it has none."""
    if index is None or store.classes is None or not 0 <= index < len(store.classes):
        return None
    return store.classes[index]


def name_of(served: ServedStore, label: str) -> str:
    """Return the name of the model's class for a label, the label itself where the model has none."""
    return class_name(served.store, served.analysis.classes.find(label).label_index) or label
