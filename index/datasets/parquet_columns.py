"""The columns of a Parquet file that are read: the image, the label and metadata (parquet_choice.py finds them)."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from ...common.errors import DatasetError
from ..compute import pc
from ..labels.text import label_text, plain_array


class MetadataColumn(NamedTuple):
    """A column that is kept. source: its name in the file; name, type: as the store has it."""

    source: str
    name: str
    type: pa.DataType


@dataclass(frozen=True)
class Columns:
    """The columns of one Parquet file.

    image, path: the Parquet paths of the leaves that hold the encoded bytes, and the path of the image; None for none.
    label: the column of labels; several: whether it holds a list of labels for each image.
    file_name: what the column of the images' paths is called in the store. integers: whether labels are whole numbers.
    skipped: (column, type) of what is not kept. candidates: columns that may hold labels, where none is taken.
    """

    where: str
    image: str | None
    path: str | None
    label: str | None
    several: bool
    integers: bool
    file_name: str
    class_names: tuple[str, ...] | None
    metadata: tuple[MetadataColumn, ...]
    skipped: tuple[tuple[str, str], ...]
    candidates: tuple[str, ...]

    @property
    def names(self) -> tuple[object, ...]:
        """What the files of one dataset must agree in."""
        return (
            self.image,
            self.path,
            self.label,
            self.several,
            self.class_names,
            tuple(column.source for column in self.metadata),
        )

    @property
    def beside_image(self) -> list[str]:
        """The columns that listing needs."""
        return [*([] if self.label is None else [self.label]), *(column.source for column in self.metadata)]

    def difference(self, other: "Columns") -> DatasetError:
        """Return the error for a file that does not agree with this one, the first."""
        return DatasetError(
            f"{other.where} differs from {self.where}: {_summary(other)}, but {_summary(self)}. "
            "The files of a dataset must have the same columns and class names: give the sub-folder that is "
            "meant, or make the files agree."
        )

    def labels(self, table: pa.Table, first: int, dropped: Counter[str]) -> pa.Array:
        """Return the labels as text, null where they are not finite numbers, which `dropped` counts.

        table: rows `first`, `first` + 1 … of the file. raises: DatasetError.
        """
        if self.label is None:
            return pa.nulls(table.num_rows, pa.string())
        values = plain_array(table.column(self.label))
        return label_text(values, self.class_names, dropped, lambda row: f"{self.where}, row {first + row}")

    def label_lists(self, table: pa.Table, first: int, dropped: Counter[str]) -> pa.Array:
        """Return the labels of each image as a list of text, null where there is no list. raises: as `labels`."""
        assert self.label is not None, "several labels have a column"
        lists = plain_array(table.column(self.label)).cast(pa.list_(item_type(table.column(self.label).type)))
        flat = pc.list_flatten(lists)
        text = label_text(flat, self.class_names, dropped, lambda _: f"{self.where}, rows from {first}")
        rows = zip(pc.list_parent_indices(lists).to_pylist(), text.to_pylist(), strict=True)
        found: list[list[str] | None] = [None if one is None else [] for one in lists.to_pylist()]
        for row, label in rows:
            held = found[row]
            if held is not None and label is not None and label not in held:
                held.append(label)
        return pa.array(found, pa.list_(pa.string()))

    def cast(self, table: pa.Table, column: MetadataColumn) -> pa.Array:
        """Return one metadata column with the type of the store. raises: DatasetError for values that do not fit."""
        values = plain_array(table.column(column.source))
        try:
            return values.cast(column.type)
        except pa.ArrowInvalid as error:
            raise DatasetError(
                f"{self.where}: column {column.source!r} has values that are no {column.type}, which the "
                f"first file has ({error}). Make the files agree."
            ) from error

    def describe(self) -> list[str]:
        """Return lines for the log."""
        lines = [f"images: column {self.image or self.path}; label: {_label_summary(self)}"]
        if self.metadata:
            renamed = (
                column.source if column.source == column.name else f"{column.source} as {column.name}"
                for column in self.metadata
            )
            lines.append(f"metadata: {', '.join(renamed)}")
        if self.skipped:
            lines.append(f"not kept: {', '.join(f'{name} ({kind})' for name, kind in self.skipped)}")
        return lines


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is one of lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def item_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a label: of a list's items, dictionaries decoded."""
    kind = kind.value_type if is_list(kind) else kind
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _summary(columns: Columns) -> str:
    further = ", ".join(column.source for column in columns.metadata) or "none"
    image = columns.image or columns.path
    return f"it has images in {image}, label {_label_summary(columns)}, further columns {further}"


def _label_summary(columns: Columns) -> str:
    if columns.label is None:
        there = ", ".join(columns.candidates)
        return f"no label column (there are {there}: --label NAME takes one)" if there else "none"
    classes = f" (ClassLabel of {len(columns.class_names)} names)" if columns.class_names else ""
    return f"column {columns.label}{', a list for each image' if columns.several else ''}{classes}"
