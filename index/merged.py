"""What a task of the merge is given (`Part`) and what it notes (`Merged`), so that a merge can be resumed.

A note lies in `.work/merged/`: one Arrow file with the record of the table's file in its metadata and, for maxima, one
row for each unit with its top-k and statistics over the part's images.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from .files import Folder, MissingFileError
from .manifest import PartRecord
from .schema import MERGED
from .statistics import Statistics
from .topk import TopK

_RECORD = b"record"
_IMAGES = b"images"
_PLACES = b"places"
_TOP = ("values", "image_ids", "positions")
_STATISTICS = ("means", "squares", "minima", "maxima", "active")


@dataclass(frozen=True)
class Part:
    """A fixed run of whole shards: images first … first + images - 1, in the files `shards`, in order."""

    number: int
    first: int
    images: int
    shards: tuple[str, ...]


@dataclass(frozen=True)
class Merged:
    """What one task made: the file and, for maxima, each unit's top-k and statistics over the part's images."""

    record: PartRecord
    top: TopK | None = None
    statistics: Statistics | None = None


def note_path(task: str) -> str:
    """Where the note of a task lies; `task` is made of letters, digits and '-'."""
    return f"{MERGED}/{task}.arrow"


def resume(folder: Folder, task: str, work: Callable[[], Merged]) -> Merged:
    """What `task` noted earlier, if its file is still there as noted; else does `work` and notes it."""
    done = load(folder, task)
    if done is not None and _is_there(folder, done.record):
        return done
    merged = work()
    folder.publish(note_path(task), to_bytes(merged))
    return merged


def load(folder: Folder, task: str) -> Merged | None:
    """The note of a task, or None where there is none, or one that is damaged: the task is then done again."""
    try:
        return from_bytes(folder.read(note_path(task)))
    except (MissingFileError, pa.ArrowInvalid, KeyError):
        return None


def to_bytes(merged: Merged) -> bytes:
    """The note as an Arrow file."""
    metadata = {_RECORD: json.dumps(asdict(merged.record), sort_keys=True).encode()}
    columns: dict[str, pa.Array] = {}
    if merged.top is not None and merged.statistics is not None:
        metadata |= {_IMAGES: b"%d" % merged.statistics.images, _PLACES: b"%d" % merged.top.values.shape[1]}
        for name in _TOP:
            array = getattr(merged.top, name)
            columns[name] = _lists(array)
        columns |= {name: pa.array(getattr(merged.statistics, name)) for name in _STATISTICS}
    schema = pa.schema([pa.field(name, column.type) for name, column in columns.items()], metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return sink.getvalue().to_pybytes()


def from_bytes(data: bytes) -> Merged:
    """The note that `to_bytes` was given."""
    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        metadata = reader.schema.metadata
        record = PartRecord(**json.loads(metadata[_RECORD]))
        if _IMAGES not in metadata:
            return Merged(record)
        batch = reader.get_batch(0)
        shape = (batch.num_rows, int(metadata[_PLACES]))
        top = [batch[name].values.to_numpy().reshape(shape) for name in _TOP]
        statistics = [batch[name].to_numpy() for name in _STATISTICS]
        return Merged(record, TopK(*top), Statistics(int(metadata[_IMAGES]), *statistics))


def _lists(array: np.ndarray) -> pa.Array:
    """(units, places) as one list for each unit, also where there are no places."""
    units, places = array.shape
    offsets = np.arange(units + 1, dtype=np.int64) * places
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(array.reshape(-1)))


def _is_there(folder: Folder, record: PartRecord) -> bool:
    try:
        return folder.size(record.path) == record.bytes
    except MissingFileError:
        return False
