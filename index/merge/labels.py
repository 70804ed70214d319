"""The dataset's distinct labels and the numbers of each image's labels, noted once for all tasks of a merge.

A note for each part is in `.work/merged/`: one Arrow file whose column `label` is encoded by the distinct labels of
the whole dataset, in bytewise order; it is a list for each image where the dataset has such lists. A label's number is
its row in classes.parquet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import StoreError
from ..compute import pc
from ..format.files import PLAN, part_path
from ..format.schema import LABELS_LIMIT
from ..labels.codes import NO_LABEL, LabelCodes
from ..labels.columns import LABELS, has_label_lists, list_pairs
from ..storage.folder import Folder, MissingFileError
from .notes import Part, note_path

_DISTINCT = b"distinct"


@dataclass(frozen=True)
class LabelNumbers:
    """The labels of one part.

    names: the distinct labels of the dataset, none where they are more than LABELS_LIMIT; distinct: how many they are.
    labels: of the part's images, all NO_LABEL, or without pairs, where there are no names.
    """

    names: tuple[str, ...]
    distinct: int
    labels: LabelCodes


def note_labels(folder: Folder, parts: Sequence[Part]) -> None:
    """Note the labels of all parts, from `plan/`. The first step of a merge; a second call does nothing."""
    if all(_load(folder, part) for part in parts):
        return
    distinct: set[str] = set()
    for part in parts:
        distinct.update(pc.unique(_elements(_column(folder, part)).drop_null()).to_pylist())
    names = sorted(distinct, key=str.encode) if len(distinct) <= LABELS_LIMIT else []
    known = pa.array(names, pa.string())
    metadata = {_DISTINCT: b"%d" % len(distinct)}
    for part in parts:
        column = _encoded(_column(folder, part), known)
        schema = pa.schema([("label", column.type)], metadata=metadata)
        with folder.writer(_path(part)) as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.record_batch([column], schema=schema))


def label_numbers(folder: Folder, part: Part) -> LabelNumbers:
    """Return the labels of a part. Raises StoreError where `note_labels` was not called."""
    noted = _load(folder, part)
    if noted is None:
        raise StoreError(f"the labels of part {part.number} are not noted yet; run the sweep again to resume")
    return noted


def distinct_labels(folder: Folder, parts: Sequence[Part]) -> int:
    """Return how many labels the dataset has. Needs `note_labels` done."""
    return label_numbers(folder, parts[0]).distinct


def _load(folder: Folder, part: Part) -> LabelNumbers | None:
    """Return what is noted, or None where nothing is, or something damaged."""
    try:
        with pa.ipc.open_file(pa.BufferReader(folder.read(_path(part)))) as reader:
            column = reader.get_batch(0)["label"]
            distinct = int(reader.schema.metadata[_DISTINCT])
    except (MissingFileError, pa.ArrowInvalid, KeyError):
        return None
    encoded = _elements(column)
    numbers = encoded.indices.fill_null(NO_LABEL).to_numpy()
    names = tuple(encoded.dictionary.to_pylist())
    if not pa.types.is_list(column.type):
        return LabelNumbers(names, distinct, LabelCodes(numbers))
    rows, _ = list_pairs(column)
    there = numbers != NO_LABEL
    return LabelNumbers(names, distinct, LabelCodes(numbers[there], rows[there]))


def _column(folder: Folder, part: Part) -> pa.Array:
    """Return the lists of labels, or else the labels, as text."""
    with folder.open(part_path(PLAN, part.number)) as source:
        file = pq.ParquetFile(source)
        name = LABELS if has_label_lists(file.schema_arrow) else "label"
        column = file.read(columns=[name], use_threads=False)[name].combine_chunks()
    return column if name == LABELS else column.cast(pa.string())


def _elements(column: pa.Array) -> pa.Array:
    return column.flatten() if pa.types.is_list(column.type) else column


def _encoded(column: pa.Array, known: pa.Array) -> pa.Array:
    """Return the labels by their place in `known`, null for those that it lacks."""
    numbers = pc.index_in(_elements(column), value_set=known)
    encoded = pa.DictionaryArray.from_arrays(numbers, known)
    if not pa.types.is_list(column.type):
        return encoded
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), encoded)


def _path(part: Part) -> str:
    return note_path(f"labels-{part.number:05d}")
