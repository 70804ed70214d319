"""The dataset's distinct labels and the number of each image's label, noted once for all tasks of a merge.

A note for each part lies in `.work/merged/`: one Arrow file whose column `label` is encoded by the distinct labels of
the whole dataset, in bytewise order. A label's number is its row in classes.parquet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from ..common.errors import StoreError
from .files import Folder, MissingFileError
from .merged import Part, note_path
from .schema import PLAN, part_path

pc: Any = pyarrow.compute  # its functions are made at import, where no type checker sees them

LABELS_LIMIT = 4096
"""Distinct labels of a dataset, at most: with more, nothing is kept by label."""
NO_LABEL = -1
"""The number of an image without a label."""

_DISTINCT = b"distinct"
_TYPE = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class LabelNumbers:
    """The labels of one part.

    names: the distinct labels of the dataset, none where they are more than LABELS_LIMIT; distinct: how many they are.
    numbers: (images,) int32, of each image of the part, NO_LABEL where it has none.
    """

    names: tuple[str, ...]
    distinct: int
    numbers: np.ndarray


def note_labels(folder: Folder, parts: Sequence[Part]) -> None:
    """Notes the labels of all parts, from `plan/`. The first step of a merge; a second call does nothing."""
    if all(_load(folder, part) for part in parts):
        return
    distinct: set[str] = set()
    for part in parts:
        distinct.update(pc.unique(_column(folder, part).drop_null()).to_pylist())
    names = sorted(distinct, key=str.encode) if len(distinct) <= LABELS_LIMIT else []
    known = pa.array(names, pa.string())
    schema = pa.schema([("label", _TYPE)], metadata={_DISTINCT: b"%d" % len(distinct)})
    for part in parts:
        numbers = pc.index_in(_column(folder, part), value_set=known).combine_chunks()
        column = pa.DictionaryArray.from_arrays(numbers, known)
        with folder.writer(_path(part)) as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.record_batch([column], schema=schema))


def label_numbers(folder: Folder, part: Part) -> LabelNumbers:
    """The labels of a part. Raises StoreError where `note_labels` was not called."""
    noted = _load(folder, part)
    if noted is None:
        raise StoreError(f"the labels of part {part.number} are not noted yet; run the sweep again to resume")
    return noted


def distinct_labels(folder: Folder, parts: Sequence[Part]) -> int:
    """How many labels the dataset has. Needs `note_labels` done."""
    return label_numbers(folder, parts[0]).distinct


def _load(folder: Folder, part: Part) -> LabelNumbers | None:
    """What is noted, or None where nothing is, or something damaged."""
    try:
        with pa.ipc.open_file(pa.BufferReader(folder.read(_path(part)))) as reader:
            column = reader.get_batch(0)["label"]
            distinct = int(reader.schema.metadata[_DISTINCT])
    except (MissingFileError, pa.ArrowInvalid, KeyError):
        return None
    numbers = column.indices.fill_null(NO_LABEL).to_numpy()
    return LabelNumbers(tuple(column.dictionary.to_pylist()), distinct, numbers)


def _column(folder: Folder, part: Part) -> pa.ChunkedArray:
    with folder.open(part_path(PLAN, part.number)) as source:
        return pq.ParquetFile(source).read(columns=["label"], use_threads=False)["label"].cast(pa.string())


def _path(part: Part) -> str:
    return note_path(f"labels-{part.number:05d}")
