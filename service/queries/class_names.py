"""The names of the model's classes."""

from ..stores.registry import ServedStore


def name_of(served: ServedStore, label: str) -> str:
    """Return the name of the model's class for a label, the label itself where the model has none."""
    return served.store.class_name(served.analysis.classes.find(label).label_index) or label
