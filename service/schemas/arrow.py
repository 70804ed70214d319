"""Answers as Arrow tables and back: the rows of an answer as columns, everything else that it says in the metadata.

A table is made from the JSON of its answer, so both say the same. Its schema follows from the declared types alone, so
a table without rows has its columns too.
"""

import json
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from .base import Table

A = TypeVar("A", bound=Table)

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
FACTS = b"unitscope"
"""Of the schema's metadata: what the answer says beside its rows, its provenance among it, as a JSON object."""
ENCODED = {b"encoding": b"json"}
"""The metadata of a column whose strings are JSON: there is no one Arrow type for its values."""


@dataclass(frozen=True)
class _Column:
    """How values of one declared type are kept: their Arrow type, and what changes them on the way there and back."""

    type: pa.DataType
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None

    @property
    def is_json(self) -> bool:
        return self.encode is json.dumps


_PLAIN: dict[Any, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
}
_JSON = _Column(pa.string(), json.dumps, json.loads)


def to_table(answer: Table) -> pa.Table:
    """Return columns as the fields of the answer's rows, in their order; its other fields are in FACTS."""
    field, columns = _layout(type(answer))
    facts = json.loads(answer.model_dump_json())
    rows = facts.pop(field)
    arrays = [
        pa.array(_changed([row[name] for row in rows], column.encode), column.type)
        for name, column in columns.items()
    ]
    schema = _schema(columns).with_metadata({FACTS: json.dumps(facts).encode()})
    return pa.table(arrays, schema=schema)


def to_stream(answer: Table) -> bytes:
    """Return the same in Arrow's IPC stream format. The same answer gives the same bytes."""
    table = to_table(answer)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_table(answer: type[A], table: pa.Table) -> A:
    """Return the answer that `to_table` was given; columns that its rows do not know are left out.

    Raises ValueError where that is not what the table was made from.
    """
    field, columns = _layout(answer)
    facts = json.loads((table.schema.metadata or {})[FACTS])
    known = {name: column for name, column in columns.items() if name in table.column_names}
    values = [_changed(table[name].to_pylist(), column.decode) for name, column in known.items()]
    rows = [dict(zip(known, row, strict=True)) for row in zip(*values, strict=True)]
    return answer.model_validate({**facts, field: rows})


def _changed(values: list[Any], change: Callable[[Any], Any] | None) -> list[Any]:
    if change is None:
        return values
    return [None if value is None else change(value) for value in values]


@cache
def _layout(answer: type[Table]) -> tuple[str, dict[str, _Column]]:
    """Return the field with the rows, and the columns of these."""
    (row,) = get_args(answer.model_fields[answer.ROWS].annotation)
    return answer.ROWS, _columns(row)


def _columns(row: type[BaseModel]) -> dict[str, _Column]:
    return {name: _column(field.annotation) for name, field in row.model_fields.items()}


def _schema(columns: dict[str, _Column]) -> pa.Schema:
    return pa.schema(
        pa.field(name, column.type, metadata=ENCODED if column.is_json else None)
        for name, column in columns.items()
    )


def _column(declared: Any) -> _Column:
    """Return how values of a declared type are kept; as JSON where no other way is."""
    origin, inner = get_origin(declared), get_args(declared)
    column = _JSON
    if declared in _PLAIN:
        column = _Column(_PLAIN[declared])
    elif isinstance(declared, type) and issubclass(declared, BaseModel):
        column = _struct(_columns(declared))
    elif origin is Annotated:
        column = _column(inner[0])
    elif origin is Literal and all(isinstance(value, str) for value in inner):
        column = _Column(pa.string())
    elif origin in (Union, types.UnionType):
        some = [one for one in inner if one is not type(None)]
        column = _column(some[0]) if len(some) == 1 else _JSON
    elif origin is list:
        column = _list(_column(inner[0]), -1)
    elif origin is tuple and Ellipsis not in inner and len(set(inner)) == 1:
        column = _list(_column(inner[0]), len(inner))
    return column


def _list(item: _Column, length: int) -> _Column:
    """Return a list type. length: -1 for any."""

    def each(change: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
        return None if change is None else lambda values: _changed(values, change)

    return _Column(pa.list_(item.type, length), each(item.encode), each(item.decode))


def _struct(columns: dict[str, _Column]) -> _Column:
    def each(values: dict[str, Any], changes: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
        return {
            name: changes[name](value) if name in changes and value is not None else value
            for name, value in values.items()
        }

    encoded = {name: column.encode for name, column in columns.items() if column.encode is not None}
    decoded = {name: column.decode for name, column in columns.items() if column.decode is not None}
    return _Column(
        pa.struct(_schema(columns)),
        (lambda values: each(values, encoded)) if encoded else None,
        (lambda values: each(values, decoded)) if decoded else None,
    )
