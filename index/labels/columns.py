"""The columns of `images/` for images with several labels, or for a model that predicts each class by itself.

- `label_indices`: the model's classes of the image's labels, in the order of `labels`; null elements for labels that
  are none of its classes. In `plan/` too.
- `correct`: whether the image is predicted correctly: by one class that is among its labels; by a multi-label model all
  of its labels and no other class. Null where it has no list of labels, or with a label that is not a class.
- of a multi-label model `label_probabilities`, of each label, in their order; `predicted_classes`, those with a
  probability of at least 0.5, ascending; `predicted_probabilities`, of each of these.
"""

import numpy as np
import pyarrow as pa

LABELS = "labels"
"""All labels of an image, as text, where the dataset has a list of them."""
LABEL_INDICES = "label_indices"
CORRECT = "correct"
LABEL_PROBABILITIES = "label_probabilities"
PREDICTED_CLASSES = "predicted_classes"
PREDICTED_PROBABILITIES = "predicted_probabilities"

INDICES_FIELD = pa.field(LABEL_INDICES, pa.list_(pa.int32()))
CORRECT_FIELD = pa.field(CORRECT, pa.bool_())
PREDICTION_FIELDS: tuple[pa.Field, ...] = (
    pa.field(LABEL_PROBABILITIES, pa.list_(pa.float32())),
    pa.field(PREDICTED_CLASSES, pa.list_(pa.int32())),
    pa.field(PREDICTED_PROBABILITIES, pa.list_(pa.float32())),
)
SWEPT_FIELDS: tuple[pa.Field, ...] = (CORRECT_FIELD, *PREDICTION_FIELDS)
"""Of these a sweep writes the first for lists of labels, all for a multi-label model."""
LIST_COLUMNS: tuple[str, ...] = (LABEL_INDICES, *(field.name for field in SWEPT_FIELDS))


def has_label_lists(schema: pa.Schema) -> bool:
    """Return whether the dataset has a list of labels for each image."""
    return LABELS in schema.names and pa.types.is_list(schema.field(LABELS).type)


def has_class_lists(schema: pa.Schema) -> bool:
    """Return whether the model predicts each class by itself."""
    return PREDICTED_CLASSES in schema.names


def list_pairs(column: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Return the row of each element of a column of lists, (pairs,) int64, ascending, and the elements."""
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(column)), lengths), column.flatten()
