"""Synthetic stores of which something was changed before they were merged."""

from unittest.mock import patch

import numpy as np
import pyarrow as pa


def altered(synthetic, url, change, **options):
    """The store of `synthetic.make_store(url, **options)`, where `change` was given all that went into it first."""
    make = synthetic._made_up

    def changed(*arguments, **known):
        made = make(*arguments, **known)
        change(made)
        return made

    with patch.object(synthetic, "_made_up", changed):
        return synthetic.make_store(url, **options)


def set_column(made, name, values):
    """Replaces a column of images/."""
    place = made.images.column_names.index(name)
    made.images = made.images.set_column(place, name, pa.array(values, made.images.schema.field(name).type))


def relabel(made, labels, indices=None):
    """labels: of each image, or None. indices: the model's classes, else none is known and no image has a loss."""
    count = made.images.num_rows
    set_column(made, "label", labels)
    set_column(made, "label_index", [None] * count if indices is None else indices)
    if indices is None:
        set_column(made, "loss", [None] * count)


def peculiar(made):
    """Units of the first layer: 3 = 5, 6 constant, 7 never above 0, 8 the opposite of 9; of the last: 1 with a NaN."""
    first, last = made.values[0], made.values[2]
    first[:, 5] = first[:, 3]
    first[:, 6] = 2.5
    first[:, 7] = -np.abs(first[:, 7]) - 0.5
    first[:, 8] = -first[:, 9]
    last[11, 1] = np.nan
