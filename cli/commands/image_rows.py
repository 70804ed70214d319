"""Reads what `top` and `neighbors` show of an image: its label or labels, and the classes that are predicted."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...index.store.store import Store


def image_rows(store: "Store", ids: list[int], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return some columns of images/ for each image, with the names of the predicted classes.

    Where images have several labels, or several classes are predicted, with the columns of these.
    """
    from ...index.labels.columns import PREDICTED_CLASSES

    rows = store.images_at(ids, [*columns, *store.list_columns])
    for row in rows:
        row["predicted_class"] = _class_name(store, row["predicted"])
        if row.get(PREDICTED_CLASSES) is not None:
            row["predicted_names"] = [_class_name(store, index) for index in row[PREDICTED_CLASSES]]
    return rows


def _class_name(store: "Store", index: int | None) -> str | None:
    """Return the model's name of a class; its number where the model has no names."""
    return str(index) if store.classes is None and index is not None else store.class_name(index)


def label_cell(row: dict[str, Any]) -> str | None:
    """Return the label, or all labels of an image that has several."""
    return _joined(row["labels"]) if row.get("labels") is not None else row["label"]


def predicted_cell(row: dict[str, Any]) -> str | None:
    """Return the predicted class, or all of them."""
    return (
        _joined(row["predicted_names"]) if row.get("predicted_names") is not None else row["predicted_class"]
    )


def _joined(names: list[str]) -> str:
    return ", ".join(names) or "none"
