"""Packs: many small JPEGs in few files, each found by the pack's number and a row.

Pack N of a table is `part-N.jpegs`, the JPEGs end to end, and `part-N.offsets.arrow`, an Arrow file whose one batch has
a row for each place: `offset` (int64, null where there is no JPEG) and `length` (int32). It is uncompressed, so that a
row is read from a memory map. For thumbs, pack N is part N of the images and a row is an image; for patches it is
layer number N, and the row is unit * PATCHES_PER_UNIT + rank.
"""

from array import array
from collections.abc import Iterable
from hashlib import sha256
from threading import Lock

import numpy as np
import pyarrow as pa

from ..common.errors import StoreDamagedError
from .files import Folder, MissingFileError
from .manifest import PartRecord
from .parquet_files import hashed_file

PATCHES_PER_UNIT = 9
"""Views of each unit's strongest patches that are packed: ranks 0 to 8."""

OFFSETS_SCHEMA = pa.schema([("offset", pa.int64()), ("length", pa.int32())])


def write_pack(folder: Folder, table: str, number: int, jpegs: Iterable[bytes | None]) -> list[PartRecord]:
    """Writes pack `number` of `table`, one row for each of `jpegs`; equal ones are written once.

    Holds 12 bytes a row, and a hash of each JPEG.
    """
    offsets, lengths = array("q"), array("i")
    written: dict[bytes, int] = {}
    with hashed_file(folder, _jpegs_path(table, number)) as packed:
        for jpeg in jpegs:
            lengths.append(len(jpeg or b""))
            if jpeg is None:
                offsets.append(-1)
                continue
            digest = sha256(jpeg).digest()
            if digest not in written:
                written[digest] = packed.tell()
                packed.write(jpeg)
            offsets.append(written[digest])
        packed.rows = len(offsets)
    missing = np.array(offsets, np.int64) < 0
    columns = [
        pa.array(np.array(offsets, np.int64), mask=missing),
        pa.array(np.array(lengths, np.int32), mask=missing),
    ]
    with hashed_file(folder, _offsets_path(table, number)) as index:
        with pa.ipc.new_file(pa.PythonFile(index, mode="w"), OFFSETS_SCHEMA) as writer:
            writer.write_batch(pa.record_batch(columns, schema=OFFSETS_SCHEMA))
        index.rows = len(offsets)
    return [packed.record, index.record]


class Packs:
    """The packs of one table; any threads may share it. Offsets are mapped from local files, and held from buckets."""

    def __init__(self, folder: Folder, table: str) -> None:
        self._folder = folder
        self._table = table
        self._offsets: dict[int, pa.RecordBatch] = {}
        self._lock = Lock()

    def get(self, number: int, row: int) -> bytes | None:
        """The JPEG, or None where the row has none or the pack is not there.

        Raises StoreDamagedError where the pack is shorter than its offsets say.
        """
        index = self._index(number)
        if index is None or not 0 <= row < index.num_rows or not index["offset"][row].is_valid:
            return None
        path = _jpegs_path(self._table, number)
        length = index["length"][row].as_py()
        data = self._folder.read_range(path, index["offset"][row].as_py(), length)
        if len(data) != length:
            raise StoreDamagedError(
                f"{self._folder.path(path)} is shorter than its offsets say; `unitscope verify` tells more"
            )
        return data

    def _index(self, number: int) -> pa.RecordBatch | None:
        with self._lock:
            if number not in self._offsets:
                try:
                    self._offsets[number] = _open_offsets(self._folder, _offsets_path(self._table, number))
                except MissingFileError:
                    return None
            return self._offsets[number]


def _open_offsets(folder: Folder, path: str) -> pa.RecordBatch:
    local = folder.local_path(path)
    if local is None:
        source: pa.NativeFile = pa.BufferReader(folder.read(path))
    elif local.exists():
        source = pa.memory_map(str(local))
    else:
        raise MissingFileError(str(local))
    return pa.ipc.open_file(source).get_batch(0)


def _jpegs_path(table: str, number: int) -> str:
    return f"{table}/part-{number:05d}.jpegs"


def _offsets_path(table: str, number: int) -> str:
    return f"{table}/part-{number:05d}.offsets.arrow"
