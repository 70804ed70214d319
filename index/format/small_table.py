"""Reads a small table of what is built from a store whole, after comparing the file with its SHA-256."""

import hashlib
from typing import Any

import pyarrow as pa

from ..storage.damaged import damaged, reading
from ..storage.folder import Folder
from ..storage.watched_file import record_of
from .parquet_bounds import read_small


def read_whole(
    folder: Folder, path: str, schema: pa.Schema, manifest: dict[str, Any], said_by: str
) -> pa.Table:
    """Return the table, which has the columns of `schema`. manifest, said_by: what notes its SHA-256, and its name.

    Raises StoreDamagedError.
    """
    where = folder.path(path)
    with reading(where):
        data = folder.read(path)
        if hashlib.sha256(data).hexdigest() != record_of(manifest, path, said_by)[1]:
            raise damaged(where, f"its SHA-256 is not the one that {said_by} notes")
        table = read_small(data)
        return table.select(schema.names).cast(schema)
