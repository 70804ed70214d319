"""Reads the shard files of one part, in order and a given number of rows at a time, only the columns asked for.

A shard file holds a checksum of each column, which is compared where the column is read: a merge that took a damaged
byte for a value would make a store of it that `verify` calls whole.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from ...common.errors import StoreDamagedError
from ..format.batches import regroup
from ..storage.folder import Folder
from .notes import Part


def shard_blocks(
    folder: Folder, part: Part, columns: Sequence[str], rows: int
) -> Iterator[list[pa.RecordBatch]]:
    """Return the part's rows in image_id order, `rows` at a time (fewer at the end), each block in pieces of one shard.

    Local files are mapped, not read: a block's memory is that of the columns that the caller looks at.
    Raises StoreDamagedError for a shard file whose images are not the ones expected.
    """
    return regroup(_shards(folder, part, columns), rows)


def with_checksums(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch as a shard file holds it."""
    return batch.replace_schema_metadata(
        {_checksum_key(name): str(_checksum(batch[name])) for name in batch.schema.names}
    )


def shard_types(folder: Folder, part: Part) -> pa.Schema:
    """Return the schema of the part's shard files."""
    path = part.shards[0]
    return folder.attempt(path, lambda: _schema(folder, path))


def list_values(column: pa.Array) -> np.ndarray:
    """Return (rows, width) of a fixed-size list column, without a copy; rows that are null hold anything."""
    width = column.type.list_size
    flat = column.values.to_numpy(zero_copy_only=True)
    return flat.reshape(-1, width)[column.offset : column.offset + len(column)]


def _shards(folder: Folder, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield each shard's batch with image_id and `columns`."""
    names = ["image_id", *columns]
    expected = part.first
    for path in part.shards:
        batch = folder.attempt(path, lambda path=path: _batch(folder, path, names))
        ids = batch["image_id"].to_numpy()
        if not np.array_equal(ids, np.arange(expected, expected + len(ids))):
            raise _damaged(folder, path, f"holds images {ids[:1]} …, not {expected} …")
        expected += len(ids)
        yield batch
    if expected != part.first + part.images:
        raise _damaged(
            folder, part.shards[-1], f"ends before image {expected}, not {part.first + part.images}"
        )


def _batch(folder: Folder, path: str, names: Sequence[str]) -> pa.RecordBatch:
    """Return some columns of a shard. Arrow reads only those from a bucket, but into a buffer as large as all of them,
    so they are copied out of it; from a memory map it takes all columns without reading any.
    """
    with _open(folder, path) as reader:
        schema = reader.schema
        missing = [name for name in names if name not in schema.names]
        if missing:
            raise _damaged(folder, path, f"has no column {missing[0]}")
        if folder.is_local:
            return _checked(folder, path, reader.get_batch(0).select(list(names)))
    options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])
    with _open(folder, path, options) as reader:
        batch = reader.get_batch(0)
        return _checked(folder, path, pa.ipc.read_record_batch(batch.serialize(), batch.schema))


def _checked(folder: Folder, path: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch without its checksums; files of older releases have none. Raises StoreDamagedError."""
    known = batch.schema.metadata or {}
    for name in batch.schema.names:
        checksum = known.get(_checksum_key(name).encode())
        if checksum is not None and int(checksum) != _checksum(batch[name]):
            raise _damaged(folder, path, f"is not as it was written (column {name})")
    return batch.replace_schema_metadata(None)


def _checksum(column: pa.Array) -> int:
    """Return that of a whole column's buffers: the sum of each one's 64-bit words, modulo 2^64.

    It tells any one changed word and any piece that is lost, at the speed of memory: a CRC-32 took over 1 % of a sweep.
    """
    value = 0
    for buffer in column.buffers():
        if buffer is not None:
            words = buffer.size // 8
            value = 31 * value + int(np.frombuffer(buffer, np.uint64, words).sum())
            value += int.from_bytes(memoryview(buffer)[8 * words :], "little")
    return value % 2**64


def _checksum_key(name: str) -> str:
    return f"checksum:{name}"


def _schema(folder: Folder, path: str) -> pa.Schema:
    with _open(folder, path) as reader:
        return reader.schema


@contextmanager
def _open(
    folder: Folder, path: str, options: pa.ipc.IpcReadOptions | None = None
) -> Generator[pa.ipc.RecordBatchFileReader]:
    local = folder.local_path(path)
    source = pa.memory_map(str(local)) if local is not None else folder.open(path)
    try:
        with pa.ipc.open_file(source, options=options) as reader:
            yield reader
    except pa.ArrowInvalid as error:
        raise _damaged(folder, path, str(error)) from error


def _damaged(folder: Folder, path: str, what: str) -> StoreDamagedError:
    return StoreDamagedError(f"{folder.path(path)} {what}: remove this file and sweep again to resume")
