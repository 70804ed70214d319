"""The index of WebDataset tars: one pass over their headers, spooled to temporary files of the local disk.

One pass, because only the last sample settles the types of the metadata, and reading a bucket twice is dear. A tar
whose members cannot be grouped while it is read is read a second time.
"""

import json
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import Any

import pyarrow as pa

from ..labels.columns import LABELS, has_label_lists
from ..storage.errors import storage_failures, translate
from ..storage.folder import Entry, Folder
from .base import RECORD_SCHEMA, ROWS, metadata_names, to_uri
from .tar_members import LAST_DOT, RUNS, Grouping, Look, Sample, samples

_SPOOL_SCHEMA = pa.schema([*RECORD_SCHEMA, pa.field("json", pa.string())])

LAST_DOT_TARS = "tars whose names have dots of their own: a sample is what is named alike up to the last dot"

Scalar = str | int | float | bool


class LabelList(list[str]):
    """The field `labels` of a sample without a label of its own: a list of text or integers."""


class TarIndex:
    """The rows of a dataset of tars; `made` makes them at the first call."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._lock = Lock()
        self._spool: Path | None = None
        self._fields: dict[str, set[type]] = {}
        self._ignored: Counter[str] = Counter()
        self._tars = 0
        self._names: dict[str, tuple[str, pa.DataType]] = {}

    def made(self, entries: Callable[[], Iterator[Entry]]) -> "TarIndex":
        """Return this index, made from the tars unless it is already. raises: DatasetError for a damaged tar."""
        with self._lock:
            if self._spool is None:
                spool = Path(mkdtemp(prefix="unitscope-tar-"))
                weakref.finalize(self, shutil.rmtree, spool, ignore_errors=True)
                self._write(spool, entries())
                self._names = _column_types(self._fields)
                self._spool = spool
        return self

    @property
    def metadata_schema(self) -> pa.Schema:
        """The scalar top-level fields of the samples' .json members."""
        return pa.schema(list(self._names.values()))

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Do the same as `Dataset.batches`."""
        assert self._spool is not None, "made() comes first"
        for number in range(self._tars):
            with (
                pa.OSFile(str(self._spool / str(number)), "rb") as file,
                pa.ipc.open_stream(file) as reader,
            ):
                for spooled in reader:
                    for start in range(0, spooled.num_rows, rows):
                        yield self._with_metadata(spooled.slice(start, rows))

    @property
    def ignored(self) -> Counter[str]:
        """How many members or samples were passed over or read otherwise, by what they are."""
        return self._ignored.copy()

    def describe(self) -> list[str]:
        """Return lines for the log."""
        lines: list[str] = []
        kept = dict(self._names)
        if has_label_lists(self.metadata_schema):
            lines.append("label: the field labels of the .json members, a list for each image")
            kept.pop(LABELS)
        if kept:
            renamed = (old if old == new else f"{old} as {new}" for old, (new, _) in kept.items())
            lines.append(f"metadata: {', '.join(renamed)}")
        nested = sorted(name for name in self._fields if name not in self._names)
        if nested:
            lines.append(f"not kept, being nested: {', '.join(nested)}")
        lines += [f"{count} {what}" for what, count in sorted(self._ignored.items())]
        return lines

    def _write(self, spool: Path, entries: Iterator[Entry]) -> None:
        self._fields, self._ignored, self._tars = {}, Counter(), 0
        for entry in entries:
            path, look = spool / str(self._tars), Look()
            fields, ignored = self._write_tar(path, entry, RUNS, look)
            if look.grouping != RUNS:
                fields, ignored = self._write_tar(path, entry, look.grouping, None)
                if look.grouping == LAST_DOT:
                    ignored[LAST_DOT_TARS] += 1
            for name, types in fields.items():
                self._fields.setdefault(name, set()).update(types)
            self._ignored += ignored
            self._tars += 1

    def _write_tar(
        self, path: Path, entry: Entry, grouping: Grouping, look: Look | None
    ) -> tuple[dict[str, set[type]], Counter[str]]:
        """Spool the rows of one tar; gives the types of its metadata fields, and what was passed over."""
        fields: dict[str, set[type]] = {}
        ignored: Counter[str] = Counter()
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, _SPOOL_SCHEMA) as writer:
            found = self._samples(entry, ignored, grouping, look)
            while chunk := list(islice(found, ROWS)):
                writer.write_batch(_spooled(entry, chunk, fields))
        return fields, ignored

    def _samples(
        self, entry: Entry, ignored: Counter[str], grouping: Grouping, look: Look | None
    ) -> Iterator[Sample]:
        """Open the tar. Raises StorageError, DatasetError naming the tar"""
        where = self._folder.path(entry.name)
        try:
            with self._folder.open(entry.name) as file:
                yield from samples(file, where, ignored, grouping=grouping, look=look)
        except storage_failures() as error:
            raise translate(where, error) from error

    def _with_metadata(self, spooled: pa.RecordBatch) -> pa.RecordBatch:
        fields = [json.loads(text) if text else {} for text in spooled.column("json").to_pylist()]
        arrays = [spooled.column(name) for name in RECORD_SCHEMA.names]
        for old, (_, kind) in self._names.items():
            arrays.append(pa.array([_fitted(each.get(old), kind) for each in fields], kind))
        return pa.record_batch(arrays, schema=pa.schema([*RECORD_SCHEMA, *self.metadata_schema]))


def _spooled(entry: Entry, chunk: list[Sample], types: dict[str, set[type]]) -> pa.RecordBatch:
    """Return the rows of some samples; notes the types of their metadata fields in `types`."""
    count = len(chunk)
    fields = [_scalars(sample, types) for sample in chunk]
    columns: list[list[Any]] = [
        [to_uri(f"{entry.name}#{sample.member}") for sample in chunk],
        [sample.size for sample in chunk],
        [entry.etag] * count,
        [sample.label for sample in chunk],
        [to_uri(entry.name)] * count,
        [sample.offset for sample in chunk],
        [None if sample.offset is None else sample.size for sample in chunk],
        [json.dumps(each) if each else None for each in fields],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _SPOOL_SCHEMA, strict=True)]
    return pa.record_batch(arrays, schema=_SPOOL_SCHEMA)


def _scalars(sample: Sample, types: dict[str, set[type]]) -> dict[str, Scalar | list[str]]:
    """Return the sample's fields that are not null; notes the type of each."""
    found = dict(sample.fields)
    labels = found.get(LABELS)
    if sample.label is None and isinstance(labels, list) and all(_is_label(one) for one in labels):
        found[LABELS] = LabelList(dict.fromkeys(str(one) for one in labels))
    for name, value in found.items():
        types.setdefault(name, set()).add(_kind(value))
    return {
        name: value for name, value in found.items() if _kind(value) in {bool, int, float, str, LabelList}
    }


def _is_label(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _kind(value: object) -> type:
    """Return the type that a JSON value asks of its column; an integer beyond 64 bits asks for text."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str
    return type(value)


def _column_types(fields: dict[str, set[type]]) -> dict[str, tuple[str, pa.DataType]]:
    """Return field → (name, narrowest type that holds all values) in the store; fields ever nested are left out."""
    kept = [name for name, types in sorted(fields.items()) if name and not _is_nested(types)]
    several = fields.get(LABELS, set()) - {type(None)} == {LabelList}
    names = metadata_names(kept, {LABELS} if several else frozenset())
    names = [LABELS if several and old == LABELS else new for old, new in zip(kept, names, strict=True)]
    return {
        old: (new, _column_type(fields[old] - {type(None)})) for old, new in zip(kept, names, strict=True)
    }


def _column_type(types: set[type]) -> pa.DataType:
    if types == {LabelList}:
        return pa.list_(pa.string())
    if types == {bool}:
        return pa.bool_()
    if types == {int}:
        return pa.int64()
    return pa.float64() if types and types <= {int, float} else pa.string()


def _is_nested(types: set[type]) -> bool:
    """Return whether values are lists or objects, but for a list of labels in each."""
    return bool(types & {list, dict}) or (LabelList in types and bool(types - {LabelList, type(None)}))


def _fitted(value: Scalar | list[str] | None, kind: pa.DataType) -> Scalar | list[str] | None:
    if value is None or isinstance(value, list):
        return value
    if kind == pa.string():
        return value if isinstance(value, str) else json.dumps(value)
    return float(value) if kind == pa.float64() else value
