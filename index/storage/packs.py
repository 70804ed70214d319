"""Packs: many small JPEGs in few files, each found by the pack's number and a row.

Pack N of a table is `part-N.jpegs`, the JPEGs end to end, and `part-N.offsets.arrow`, an Arrow file whose one batch has
a row for each place: `offset` (int64, null where there is no JPEG) and `length` (int32). It is uncompressed, so that a
row is read by its position. For thumbs, pack N is part N of the images and a row is an image; for patches it is
layer number N, and the row is unit * PATCHES_PER_UNIT + rank.
"""

import struct
from array import array
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock

import numpy as np
import pyarrow as pa

from .damaged import damaged, reading
from .folder import Folder, MissingFileError
from .hashed_file import HashedFile, PartRecord, hashed_file
from .watched_file import WatchedFile

PATCHES_PER_UNIT = 9
"""Views of each unit's strongest patches that are packed: ranks 0 to 8."""

_OFFSET, _LENGTH = struct.Struct("<q"), struct.Struct("<i")

OFFSETS_SCHEMA = pa.schema([("offset", pa.int64()), ("length", pa.int32())])


def write_pack(folder: Folder, table: str, number: int, jpegs: Iterable[bytes | None]) -> list[PartRecord]:
    """Write pack `number` of `table`, one row for each of `jpegs`; equal ones are written once."""
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
        """Put a JPEG into a row, in any order of rows; an equal one is written once. None: the row has none."""
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
        """Return the rows so far, as OFFSETS_SCHEMA."""
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
    """The packs of one table, read by position and never mapped; any threads may share it.

    In memory is only where the columns of the offsets lie in their files; those of a bucket are held.
    """

    def __init__(self, folder: Folder, table: str, files: Mapping[str, PartRecord] | None = None) -> None:
        """files: the store's, by path: the offsets are compared with their SHA-256 when they are opened."""
        self._folder = folder
        self._table = table
        self._files = files or {}
        self._opened: dict[int, tuple[OffsetsFile, WatchedFile | None]] = {}
        self._lock = Lock()

    def get(self, number: int, row: int) -> bytes | None:
        """Return the JPEG, or None where the row has none or the pack is not there.

        Raises StoreDamagedError where the pack is not as its offsets say, or was changed since it was opened.
        """
        try:
            offsets, jpegs = self._pack(number)
        except MissingFileError:
            return None
        where = offsets.get(row)
        if where is None:
            return None
        if jpegs is not None:
            return jpegs.read(*where)
        path = jpegs_path(self._table, number)
        if min(where) < 0:
            raise damaged(self._folder.path(path), f"its offsets lead to {where}")
        data = self._folder.read_range(path, *where)
        if len(data) != where[1]:
            raise damaged(self._folder.path(path), "it is shorter than its offsets say")
        return data

    def _pack(self, number: int) -> "tuple[OffsetsFile, WatchedFile | None]":
        with self._lock:
            if number not in self._opened:
                self._opened[number] = self._open(number)
            opened = self._opened[number]
            if not opened[0].is_current or (opened[1] is not None and not opened[1].is_current):
                del self._opened[number]  # the next request looks whether it is whole again
            return opened

    def _open(self, number: int) -> "tuple[OffsetsFile, WatchedFile | None]":
        """Raise MissingFileError where there is no such pack."""
        offsets, jpegs = _offsets_path(self._table, number), jpegs_path(self._table, number)
        self._folder.entry(offsets)
        record = self._files.get(offsets)
        opened = OffsetsFile(self._folder, offsets, None if record is None else record.sha256)
        return opened, WatchedFile(self._folder, jpegs) if self._folder.is_local else None


class OffsetsFile:
    """The offsets of a pack: of a local file a row is two reads; of a bucket's all are held."""

    def __init__(self, folder: Folder, path: str, sha256: str | None = None) -> None:
        """sha256: of the file, if it is known. Raises StoreDamagedError."""
        self._where = folder.path(path)
        self._file = WatchedFile(folder, path)
        data = self._file.read(0, self._file.size)
        with reading(self._where):
            if sha256 is not None and _sha256(data) != sha256:
                raise self._file.damaged("its SHA-256 is not that of the manifest")
            source = pa.py_buffer(data)
            batch = _only_batch(pa.BufferReader(source))
            self.rows = batch.num_rows
            self._places = [_places(column, source) for column in batch.columns]

    @property
    def is_current(self) -> bool:
        """Whether the file is as it was when it was opened."""
        return self._file.is_current

    def get(self, row: int) -> tuple[int, int] | None:
        """Return where the JPEG of a row is: (offset, length); None where it has none, and for no row."""
        if not 0 <= row < self.rows:
            return None
        (valid, offsets), (_, lengths) = self._places
        if valid is not None and not self._file.read(valid + row // 8, 1)[0] >> row % 8 & 1:
            return None
        (offset,) = _OFFSET.unpack(self._file.read(offsets + 8 * row, 8))
        (length,) = _LENGTH.unpack(self._file.read(lengths + 4 * row, 4))
        return offset, length


def open_offsets(folder: Folder, table: str, number: int) -> pa.RecordBatch:
    """Return the rows of a pack, as OFFSETS_SCHEMA, in memory. Raises MissingFileError, StoreDamagedError."""
    path = _offsets_path(table, number)
    data = folder.read(path)
    with reading(folder.path(path)):
        return _only_batch(pa.BufferReader(data))


def _only_batch(source: pa.NativeFile) -> pa.RecordBatch:
    """Raise ArrowInvalid, ValueError for another schema or what is not valid data."""
    reader = pa.ipc.open_file(source)
    if not reader.schema.equals(OFFSETS_SCHEMA) or reader.num_record_batches != 1:
        raise ValueError(f"it has the columns {reader.schema.names} in {reader.num_record_batches} batches")
    batch = reader.get_batch(0)
    batch.validate(full=True)
    return batch


def _places(column: pa.Array, source: pa.Buffer) -> tuple[int | None, int]:
    """Return where the validity bits (None where all are) and the values of a column lie in the file."""
    if not len(column):
        return None, 0
    valid, values = column.buffers()
    width = column.type.bit_width // 8
    places = [None if one is None else one.address - source.address for one in (valid, values)]
    if column.offset or places[1] is None or not 0 <= places[1] <= source.size - width * len(column):
        raise ValueError("its columns are not stored plain")
    if places[0] is not None and not 0 <= places[0] <= source.size - -(-len(column) // 8):
        raise ValueError("its validity is not stored plain")
    return places[0], places[1]


def _sha256(data: bytes) -> str:
    return sha256(data).hexdigest()


def jpegs_path(table: str, number: int) -> str:
    """Return where the JPEGs of a pack are."""
    return f"{table}/part-{number:05d}.jpegs"


def pack_files(table: str, number: int) -> tuple[str, str]:
    """Return both files of a pack, in the order in which they appear."""
    return jpegs_path(table, number), _offsets_path(table, number)


def _offsets_path(table: str, number: int) -> str:
    return f"{table}/part-{number:05d}.offsets.arrow"
