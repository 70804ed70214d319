"""Packs: many small JPEGs in few files, each found by the pack's number and a row.

Pack N of a table is `part-N.jpegs`, the JPEGs end to end, and `part-N.offsets.arrow`, an Arrow file whose one batch has
a row for each place: `offset` (int64, null where there is no JPEG) and `length` (int32). It is uncompressed, so that a
row is read from a memory map. For thumbs, pack N is part N of the images and a row is an image; for patches it is
layer number N, and the row is unit * PATCHES_PER_UNIT + rank.
"""

from array import array
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock

import numpy as np
import pyarrow as pa

from ..common.errors import StoreDamagedError
from .files import Folder, MissingFileError
from .manifest import PartRecord
from .parquet_files import HashedFile, hashed_file

PATCHES_PER_UNIT = 9
"""Views of each unit's strongest patches that are packed: ranks 0 to 8."""

OFFSETS_SCHEMA = pa.schema([("offset", pa.int64()), ("length", pa.int32())])


def write_pack(folder: Folder, table: str, number: int, jpegs: Iterable[bytes | None]) -> list[PartRecord]:
    """Writes pack `number` of `table`, one row for each of `jpegs`; equal ones are written once."""
    with pack_writer(folder, table, number) as pack:
        for row, jpeg in enumerate(jpegs):
            pack.put(row, jpeg)
    return pack.records


class PackWriter:
    """A pack on its way out. Holds 12 bytes a row, and a hash of each JPEG. records: whole after the `with`."""

    def __init__(self, packed: HashedFile) -> None:
        self.records: list[PartRecord] = []
        self._packed = packed
        self._offsets, self._lengths = array("q"), array("i")
        self._written: dict[bytes, int] = {}

    def put(self, row: int, jpeg: bytes | None) -> None:
        """Puts a JPEG into a row, in any order of rows; an equal one is written once. None: the row has none."""
        missing = max(0, row + 1 - len(self._offsets))
        self._offsets.extend([-1] * missing)
        self._lengths.extend([0] * missing)
        if jpeg is None:
            return
        digest = sha256(jpeg).digest()
        if digest not in self._written:
            self._written[digest] = self._packed.tell()
            self._packed.write(jpeg)
        self._offsets[row], self._lengths[row] = self._written[digest], len(jpeg)

    def table(self) -> pa.RecordBatch:
        """The rows so far, as OFFSETS_SCHEMA."""
        offsets, lengths = np.array(self._offsets, np.int64), np.array(self._lengths, np.int32)
        missing = offsets < 0
        columns = [pa.array(offsets, mask=missing), pa.array(lengths, mask=missing)]
        return pa.record_batch(columns, schema=OFFSETS_SCHEMA)


@contextmanager
def pack_writer(folder: Folder, table: str, number: int) -> Generator[PackWriter]:
    """Pack `number` of `table`, to be filled row by row; it appears whole at a clean exit."""
    with hashed_file(folder, jpegs_path(table, number)) as packed:
        pack = PackWriter(packed)
        yield pack
        rows = pack.table()
        packed.rows = rows.num_rows
    with hashed_file(folder, _offsets_path(table, number)) as index:
        with pa.ipc.new_file(pa.PythonFile(index, mode="w"), OFFSETS_SCHEMA) as writer:
            writer.write_batch(rows)
        index.rows = rows.num_rows
    pack.records = [packed.record, index.record]


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
        path = jpegs_path(self._table, number)
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
                    self._offsets[number] = open_offsets(self._folder, self._table, number)
                except MissingFileError:
                    return None
            return self._offsets[number]


def open_offsets(folder: Folder, table: str, number: int) -> pa.RecordBatch:
    """The rows of a pack, as OFFSETS_SCHEMA: mapped from a local file. Raises MissingFileError."""
    path = _offsets_path(table, number)
    local = folder.local_path(path)
    if local is None:
        source: pa.NativeFile = pa.BufferReader(folder.read(path))
    elif local.exists():
        source = pa.memory_map(str(local))
    else:
        raise MissingFileError(str(local))
    return pa.ipc.open_file(source).get_batch(0)


def jpegs_path(table: str, number: int) -> str:
    """Where the JPEGs of a pack are."""
    return f"{table}/part-{number:05d}.jpegs"


def pack_files(table: str, number: int) -> tuple[str, str]:
    """Both files of a pack, in the order in which they appear."""
    return jpegs_path(table, number), _offsets_path(table, number)


def _offsets_path(table: str, number: int) -> str:
    return f"{table}/part-{number:05d}.offsets.arrow"
