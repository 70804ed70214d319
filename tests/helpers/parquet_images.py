"""Parquet files of made-up images."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def images(count, size=10, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, size + number % 3, dtype=np.uint8).tobytes() for number in range(count)]


def as_structs(data):
    return pa.array([None if each is None else {"bytes": each, "path": "x.jpg"} for each in data], IMAGE)


def write(path, columns, *, metadata=None, **options):
    table = pa.table(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, **options)
    return str(path)


def listed(dataset, rows=8192):
    return pa.Table.from_batches(list(dataset.batches(rows)))


def open_dataset_again(dataset):
    return pickle.loads(pickle.dumps(dataset))
