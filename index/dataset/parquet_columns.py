"""Which columns of a Parquet file are the image, the label and metadata, and how labels become text."""

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute

from ...common.errors import DatasetError
from .records import metadata_names

pc: Any = pyarrow.compute  # its functions are made at import, where no type checker sees them

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


class MetadataColumn(NamedTuple):
    """A column that is kept. source: its name in the file; name, type: as the store has it."""

    source: str
    name: str
    type: pa.DataType


@dataclass(frozen=True)
class Columns:
    """The columns of one Parquet file.

    image: the Parquet path of the leaf that holds the encoded bytes.
    skipped: (column, type) of what is not kept.
    """

    where: str
    image: str
    label: str | None
    class_names: tuple[str, ...] | None
    metadata: tuple[MetadataColumn, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[object, ...]:
        """What the files of one dataset must agree in."""
        return self.image, self.label, self.class_names, tuple(column.source for column in self.metadata)

    @property
    def beside_image(self) -> list[str]:
        """The columns that listing needs."""
        return [*([] if self.label is None else [self.label]), *(column.source for column in self.metadata)]

    def difference(self, other: "Columns") -> DatasetError:
        """The error for a file that does not agree with this one, the first."""
        return DatasetError(
            f"{other.where} differs from {self.where}: {_summary(other)}, but {_summary(self)}. "
            "The files of a dataset must have the same columns and class names: give the sub-folder that is "
            "meant, or make the files agree."
        )

    def labels(self, table: pa.Table, first: int) -> pa.Array:
        """The labels as text. table: rows `first`, `first` + 1 … of the file. raises: DatasetError."""
        if self.label is None:
            return pa.nulls(table.num_rows, pa.string())
        values = _plain(table.column(self.label))
        if self.class_names is None or not pa.types.is_integer(values.type):
            return _as_text(values)
        highest = pc.max(values).as_py()
        if highest is not None and highest >= len(self.class_names):
            row = first + values.index(pa.scalar(highest, values.type)).as_py()
            raise DatasetError(
                f"{self.where}, row {row}: label {highest} is beyond the {len(self.class_names)} names of "
                f"the ClassLabel of column {self.label!r}. Mend the labels, or the names in the schema."
            )
        known = pc.if_else(pc.greater_equal(values, 0), values, pa.scalar(None, values.type))
        return pc.take(pa.array(self.class_names, pa.string()), known)  # -1 means "no label" there

    def cast(self, table: pa.Table, column: MetadataColumn) -> pa.Array:
        """One metadata column with the type of the store. raises: DatasetError for values that do not fit."""
        values = _plain(table.column(column.source))
        try:
            return values.cast(column.type)
        except pa.ArrowInvalid as error:
            raise DatasetError(
                f"{self.where}: column {column.source!r} has values that are no {column.type}, which the "
                f"first file has ({error}). Make the files agree."
            ) from error

    def describe(self) -> list[str]:
        """Lines for the log."""
        lines = [f"images: column {self.image}; label: {_label_summary(self)}"]
        if self.metadata:
            renamed = (
                column.source if column.source == column.name else f"{column.source} as {column.name}"
                for column in self.metadata
            )
            lines.append(f"metadata: {', '.join(renamed)}")
        if self.skipped:
            lines.append(f"not kept: {', '.join(f'{name} ({kind})' for name, kind in self.skipped)}")
        return lines


def find_columns(schema: pa.Schema, where: str) -> Columns:
    """The columns of the file `where`. raises: DatasetError for no image column, or two of one name."""
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise DatasetError(
            f"{where} has several columns named {twice[0]!r}: give each column a name of its own."
        )
    features = _hugging_face_features(schema)
    image = _image_column(schema, features, where)
    label = _label_column(schema, features)
    kept, skipped = _further_columns(schema, {image, label})
    names = metadata_names([field.name for field in kept])
    return Columns(
        where=where,
        image=f"{image}.bytes" if pa.types.is_struct(schema.field(image).type) else image,
        label=label,
        class_names=_class_names(features, label),
        metadata=tuple(
            MetadataColumn(field.name, name, _kept_type(field.type) or pa.string())
            for field, name in zip(kept, names, strict=True)
        ),
        skipped=tuple(skipped),
    )


def _hugging_face_features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """The features that the `datasets` library writes into the schema's metadata; empty where it did not."""
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(text)["info"]["features"] if text else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return (
        {name: each for name, each in features.items() if isinstance(each, dict)}
        if isinstance(features, dict)
        else {}
    )


def _image_column(schema: pa.Schema, features: dict[str, dict[str, Any]], where: str) -> str:
    holders = [field.name for field in schema if _holds_images(field.type)]
    named = [name for name in holders if features.get(name, {}).get("_type") == "Image"]
    structs = [name for name in holders if pa.types.is_struct(schema.field(name).type)]
    if "image" in holders:
        return "image"
    for candidates in (named, structs):
        if len(candidates) == 1:
            return candidates[0]
    listed = ", ".join(f"{field.name}: {field.type}" for field in schema)
    raise DatasetError(
        f"{where} has no column of images: it needs `image`, of the type struct<bytes: binary, path: string> "
        f"or binary (it has {listed}). Rename or convert the column."
    )


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _label_column(schema: pa.Schema, features: dict[str, dict[str, Any]]) -> str | None:
    """`label`, or else the only ClassLabel."""
    if "label" in schema.names:
        return "label" if _kept_type(schema.field("label").type) else None
    classes = [
        name for name, each in features.items() if each.get("_type") == "ClassLabel" and name in schema.names
    ]
    return classes[0] if len(classes) == 1 and _kept_type(schema.field(classes[0]).type) else None


def _class_names(features: dict[str, dict[str, Any]], label: str | None) -> tuple[str, ...] | None:
    feature = features.get(label, {}) if label is not None else {}
    names = feature.get("names")
    if feature.get("_type") != "ClassLabel" or not isinstance(names, list) or not names:
        return None
    return tuple(str(name) for name in names)


def _further_columns(
    schema: pa.Schema, used: set[str | None]
) -> tuple[list[pa.Field], list[tuple[str, str]]]:
    """(columns kept, (name, type) of those that are not)."""
    kept: list[pa.Field] = []
    skipped: list[tuple[str, str]] = []
    for field in schema:
        if field.name in used or _PANDAS_INDEX.fullmatch(field.name):
            continue
        if _kept_type(field.type) is None or not field.name:
            skipped.append((field.name, str(field.type)))
        else:
            kept.append(field)
    return kept, skipped


def _kept_type(kind: pa.DataType) -> pa.DataType | None:
    """The type that metadata of this type has in the store; None for nested, binary and other types."""
    if pa.types.is_dictionary(kind):
        return _kept_type(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_float16(kind):
        return pa.float32()
    simple = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_timestamp,
        pa.types.is_date,
    )
    return kind if any(is_kind(kind) for is_kind in simple) else None


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One array, dictionaries decoded."""
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_floating(values.type):
        whole = pc.all(pc.equal(values, pc.round(values))).as_py()
        values = values.cast(pa.int64()) if whole else values
    return values.cast(pa.string())


def _summary(columns: Columns) -> str:
    further = ", ".join(column.source for column in columns.metadata) or "none"
    return f"it has images in {columns.image}, label {_label_summary(columns)}, further columns {further}"


def _label_summary(columns: Columns) -> str:
    if columns.label is None:
        return "none"
    classes = f" (ClassLabel of {len(columns.class_names)} names)" if columns.class_names else ""
    return f"column {columns.label}{classes}"
