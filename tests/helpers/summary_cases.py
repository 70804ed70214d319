"""Stores whose labels are plain or odd, and their tables read back whole."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from unitscope.index.format.manifest import Manifest

ODD_LABELS = ["zebra", "Ärger/ß", "", "\U0001f41d", "a b", "\uffee"]
"""In UTF-8 the bee, four bytes, comes after U+FFEE; in UTF-16 it would come before."""


def replace(made, **columns):
    """Puts other columns into what a store is made of."""
    for name, values in columns.items():
        place = made.images.schema.get_field_index(name)
        field = made.images.schema.field(name)
        made.images = made.images.set_column(place, field, pa.array(values, field.type))


def odd(made):
    """Odd labels, some null; one whose images all failed; one that the model does not know; a dead unit with NaN-free
    neighbours, a constant one and a negative one."""
    rng = np.random.default_rng(7)
    labels = [ODD_LABELS[number] for number in rng.integers(0, len(ODD_LABELS), made.images.num_rows)]
    for image in range(0, len(labels), 9):
        labels[image] = None
    for image in np.flatnonzero(made.failed):
        labels[image] = "only failed"
    known = {"zebra": 0, "Ärger/ß": 3, "": 1, "\U0001f41d": 2, "a b": 1, "only failed": 0}
    replace(made, label=labels, label_index=[known.get(label) for label in labels])
    made.values[1][:, 3] = 2.5
    made.values[2][:, 1] = -np.abs(made.values[2][:, 1]) - 0.1


def read(made, path):
    return pq.ParquetFile(f"{made.url}/{path}").read()


def whole(made, table):
    paths = [record.path for record in Manifest.read(made.folder).parts(table)]
    return pa.concat_tables([read(made, path) for path in paths])
