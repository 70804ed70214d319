"""What a task of the merge is given (`Part`) and what it notes (`Merged`), so that a merge can be resumed.

A note lies in `.work/merged/`: one Arrow file with the record of the table's file in its metadata and, for maxima, one
row for each unit with its top-k, its statistics and its sums by label over the part's images.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from ..format.files import MERGED
from ..stats import moments as statistics
from ..stats import topk
from ..stats.moments import Statistics
from ..stats.topk import TopK
from ..storage.folder import Folder, MissingFileError
from ..storage.hashed_file import PartRecord
from .class_sums import add_missing

_RECORD = b"record"
_IMAGES = b"images"
_PLACES = b"places"
_LABELS = b"labels"
_CLASS_SUMS = "class_sums"
_CLASS_MISSING, _MISSING = "class_missing", b"missing"
_TOP = ("values", "image_ids", "positions")
_STATISTICS = ("means", "squares", "minima", "maxima", "active", "finite")


@dataclass(frozen=True)
class Part:
    """A fixed run of whole shards: images first … first + images - 1, in the files `shards`, in order."""

    number: int
    first: int
    images: int
    shards: tuple[str, ...]


@dataclass(frozen=True)
class Reduced:
    """What is made of some images of a layer beside their maxima.

    class_sums: (units, labels) float64; class_missing: (units, labels) int64, or (units, 0) for none (class_sums.py).
    """

    top: TopK
    statistics: Statistics
    class_sums: np.ndarray
    class_missing: np.ndarray

    @staticmethod
    def empty(units: int, labels: int) -> "Reduced":
        """Return that of no images."""
        sums, missing = np.zeros((units, labels)), np.zeros((units, 0), np.int64)
        return Reduced(TopK.empty(units), Statistics.empty(units), sums, missing)

    def add(self, other: "Reduced", k: int) -> "Reduced":
        """Return that of the images of both; `other` has those that come after."""
        return Reduced(
            topk.merge(self.top, other.top, k),
            statistics.merge(self.statistics, other.statistics),
            self.class_sums + other.class_sums,
            add_missing(self.class_missing, other.class_missing),
        )


@dataclass(frozen=True)
class Merged:
    """What one task made: the file and, for maxima, what they are over the part's images."""

    record: PartRecord
    maxima: Reduced | None = None


def note_path(task: str) -> str:
    """Return where the note of a task lies; `task` is made of letters, digits and '-'."""
    return f"{MERGED}/{task}.arrow"


def resume(folder: Folder, task: str, work: Callable[[], Merged]) -> Merged:
    """Return what `task` noted earlier, if its file is still there as noted; else does `work` and notes it."""
    done = load(folder, task)
    if done is not None and _is_there(folder, done.record):
        return done
    merged = work()
    folder.publish(note_path(task), to_bytes(merged))
    return merged


def load(folder: Folder, task: str) -> Merged | None:
    """Return the note of a task, or None where there is none, or one that is damaged: the task is then done again."""
    try:
        return from_bytes(folder.read(note_path(task)))
    except (MissingFileError, pa.ArrowInvalid, KeyError):
        return None


def to_bytes(merged: Merged) -> bytes:
    """Return the note as an Arrow file."""
    metadata = {_RECORD: json.dumps(asdict(merged.record), sort_keys=True).encode()}
    columns: dict[str, pa.Array] = {}
    if merged.maxima is not None:
        top, measured, sums = merged.maxima.top, merged.maxima.statistics, merged.maxima.class_sums
        metadata |= {_IMAGES: b"%d" % measured.images}
        metadata |= {_PLACES: b"%d" % top.values.shape[1], _LABELS: b"%d" % sums.shape[1]}
        columns |= {name: _lists(getattr(top, name)) for name in _TOP}
        columns |= {name: pa.array(getattr(measured, name)) for name in _STATISTICS}
        columns[_CLASS_SUMS] = _lists(sums)
        columns[_CLASS_MISSING] = _lists(merged.maxima.class_missing)
        metadata |= {_MISSING: b"%d" % merged.maxima.class_missing.shape[1]}
    schema = pa.schema([pa.field(name, column.type) for name, column in columns.items()], metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return sink.getvalue().to_pybytes()


def from_bytes(data: bytes) -> Merged:
    """Return the note that `to_bytes` was given."""
    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        metadata = reader.schema.metadata
        record = PartRecord(**json.loads(metadata[_RECORD]))
        if _IMAGES not in metadata:
            return Merged(record)
        batch = reader.get_batch(0)
        places, labels = int(metadata[_PLACES]), int(metadata[_LABELS])
        top = [_matrix(batch, name, places) for name in _TOP]
        measured = [batch[name].to_numpy() for name in _STATISTICS]
        reduced = Statistics(int(metadata[_IMAGES]), *measured)
        sums, missing = (
            _matrix(batch, _CLASS_SUMS, labels),
            _matrix(batch, _CLASS_MISSING, int(metadata[_MISSING])),
        )
        return Merged(record, Reduced(TopK(*top), reduced, sums, missing))


def _matrix(batch: pa.RecordBatch, name: str, width: int) -> np.ndarray:
    """Return (units, width) of a column that `_lists` made."""
    return batch[name].values.to_numpy().reshape(batch.num_rows, width)


def _lists(array: np.ndarray) -> pa.Array:
    """Return (units, places) as one list for each unit, also where there are no places."""
    units, places = array.shape
    offsets = np.arange(units + 1, dtype=np.int64) * places
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(array.reshape(-1)))


def _is_there(folder: Folder, record: PartRecord) -> bool:
    try:
        return folder.size(record.path) == record.bytes
    except MissingFileError:
        return False
