"""Finds the columns of a Parquet file that are the image, the label and metadata."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ...common.errors import DatasetError, UsageError
from ..labels.columns import LABELS
from .base import metadata_names
from .options import DEFAULT, DatasetOptions
from .parquet_columns import Columns, MetadataColumn, is_list, item_type

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def find_columns(schema: pa.Schema, where: str, options: DatasetOptions = DEFAULT) -> Columns:
    """Return the columns of the file `where`.

    raises: DatasetError for no image column, or two of one name; UsageError for columns in the options that it lacks.
    """
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise DatasetError(
            f"{where} has several columns named {twice[0]!r}: give each column a name of its own."
        )
    features = _hugging_face_features(schema)
    image = _image_column(schema, features, where, options.image)
    label = _label_column(schema, features, where, options.label)
    kind = None if label is None else schema.field(label).type
    several = kind is not None and is_list(kind)
    kept, skipped = _further_columns(schema, {image, label})
    names = metadata_names([field.name for field in kept], {LABELS} if several else set())
    struct, given_by_path = pa.types.is_struct(schema.field(image).type), _is_text(schema.field(image).type)
    has_path = struct and schema.field(image).type.get_field_index("path") >= 0
    classes = _class_names(features, label)
    return Columns(
        where=where,
        image=f"{image}.bytes" if struct else None if given_by_path else image,
        path=f"{image}.path" if has_path else image if given_by_path else None,
        label=label,
        several=several,
        integers=kind is not None and classes is None and _is_number(item_type(kind)),
        file_name=_free_name("file_name", names),
        class_names=classes,
        metadata=tuple(
            MetadataColumn(field.name, name, _kept_type(field.type) or pa.string())
            for field, name in zip(kept, names, strict=True)
        ),
        skipped=tuple(skipped),
        candidates=_candidates(schema, features, image),
    )


def _free_name(name: str, taken: Sequence[str]) -> str:
    """Return the name, or the image's own where the dataset has a column that is called so."""
    lower = {each.lower() for each in taken}
    while name in lower:
        name = f"image_{name}"
    return name


def _hugging_face_features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return the features that the `datasets` library writes into the schema's metadata; empty where it did not."""
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


def _image_column(
    schema: pa.Schema, features: dict[str, dict[str, Any]], where: str, wanted: str | None
) -> str:
    listed = ", ".join(f"{field.name}: {field.type}" for field in schema)
    if wanted is not None:
        if wanted in schema.names and (
            _holds_images(schema.field(wanted).type) or _is_text(schema.field(wanted).type)
        ):
            return wanted
        raise UsageError(
            f"--image {wanted}: {where} has no such column of images or of their paths (it has {listed})"
        )
    holders = [field.name for field in schema if _holds_images(field.type)]
    named = [name for name in holders if features.get(name, {}).get("_type") == "Image"]
    structs = [name for name in holders if pa.types.is_struct(schema.field(name).type)]
    if "image" in holders or (
        "image" in schema.names and not holders and _is_text(schema.field("image").type)
    ):
        return "image"
    for candidates in (named, structs, holders):
        if len(candidates) == 1:
            return candidates[0]
    if holders:
        raise DatasetError(
            f"{where} has several columns of images: {', '.join(holders)}. Name the one that is meant "
            f"(--image {holders[0]})."
        )
    paths = [field.name for field in schema if _is_text(field.type)]
    raise DatasetError(
        f"{where} has no column of images: it needs `image`, of the type struct<bytes: binary, path: string> "
        f"or binary (it has {listed}). Rename or convert the column"
        + (f", or name a column that holds the images' paths (--image {paths[0]})." if paths else ".")
    )


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type)
    return _is_binary(kind)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _label_column(
    schema: pa.Schema, features: dict[str, dict[str, Any]], where: str, wanted: str | None
) -> str | None:
    """Return `label` or a list `labels`, or else the only column of ClassLabels."""
    if wanted is not None:
        if wanted in schema.names and _is_label(schema.field(wanted).type):
            return wanted
        there = ", ".join(field.name for field in schema if _is_label(field.type)) or "none"
        raise UsageError(f"--label {wanted}: {where} has no such column of labels (there are {there})")
    if "label" in schema.names:
        return "label" if _is_label(schema.field("label").type) else None
    if LABELS in schema.names and is_list(schema.field(LABELS).type) and _is_label(schema.field(LABELS).type):
        return LABELS
    classes = [name for name in _class_labels(features) if name in schema.names]
    return classes[0] if len(classes) == 1 and _is_label(schema.field(classes[0]).type) else None


def _is_label(kind: pa.DataType) -> bool:
    item = item_type(kind)
    return not is_list(item) and _kept_type(item) is not None


def _class_labels(features: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name in features if _class_label(features, name)]


def _class_label(features: dict[str, dict[str, Any]], name: str | None) -> dict[str, Any] | None:
    """Return the ClassLabel of a column, or of the items of a column of lists."""
    feature = features.get(name, {}) if name is not None else {}
    item = feature.get("feature")
    if isinstance(item, dict):
        feature: dict[str, Any] = item
    return feature if feature.get("_type") == "ClassLabel" else None


def _candidates(schema: pa.Schema, features: dict[str, dict[str, Any]], image: str) -> tuple[str, ...]:
    """Return columns that may be meant for labels: ClassLabels, or else all that labels can be made of."""
    classes = [name for name in _class_labels(features) if name in schema.names]
    others = [field.name for field in schema if field.name != image and field.name and _is_label(field.type)]
    return tuple(classes or others)


def _class_names(features: dict[str, dict[str, Any]], label: str | None) -> tuple[str, ...] | None:
    names = (_class_label(features, label) or {}).get("names")
    return tuple(str(name) for name in names) if isinstance(names, list) and names else None


def _further_columns(
    schema: pa.Schema, used: set[str | None]
) -> tuple[list[pa.Field], list[tuple[str, str]]]:
    """Return (columns kept, (name, type) of those that are not)."""
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
    """Return the type that metadata of this type has in the store; None for nested, binary and other types."""
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
