"""Read what an overlay colors each image by: numbers or classes, from a store a column at a time."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from ...common.errors import UsageError
from ..compute import pc
from ..labels.columns import CORRECT
from ..store.store import Store
from .palettes import SERIES

Kind = Literal["numbers", "classes", "share", "marked"]
_NOT_COLORABLE = ("image_id", "uri", "sha256", CORRECT)
_MODEL_CLASSES = ("label_index", "predicted")
_MOST = len(SERIES)
_UNITS = {"probability": "of the predicted class", "loss": "nats (cross-entropy)"}
_OUTER = 0.005
"""The share of the values at each end that are drawn like the end."""


@dataclass(frozen=True)
class ItemColors:
    """values: (images,) float32 by image_id, NaN for none: a number; the number of a class; for a `share` 0 or 1; for
    what is `marked` 1.

    names, counts: of the classes, the last may be all others. low, high: the numbers that the first and last colour
    stand for; smallest, largest: those that there are. logarithmic: whether colours follow log(1 + number).
    """

    title: str
    kind: Kind
    values: np.ndarray
    says: str = ""
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    low: float = 0
    high: float = 0
    smallest: float = 0
    largest: float = 0
    logarithmic: bool = False
    dates: bool = False

    @property
    def bytes(self) -> int:
        """In memory."""
        return self.values.nbytes + 100 * len(self.names) + 500


def colorable(store: Store) -> list[str]:
    """Return the columns that an overlay can be colored by: `correct`, and those of images/ with numbers, words or
    dates.
    """
    return [CORRECT] + [name for name in colorable_columns(store.images_schema) if name not in _NOT_COLORABLE]


def colorable_columns(schema: pa.Schema) -> list[str]:
    """Return the columns of a table that hold numbers, words or dates."""
    return [field.name for field in schema if _form(field.type) is not None]


def by_column(store: Store, name: str) -> ItemColors:
    """Return a column of images/, or `correct`. Raises UsageError."""
    if name == CORRECT:
        return _correct(store)
    if name not in colorable(store):
        raise UsageError(f"no column {name[:200]!r} to color by; there are {', '.join(colorable(store))}")
    column = store.images([name])[name].combine_chunks()
    if name in _MODEL_CLASSES:
        return _classes(name, column, store.classes)
    return by_values(name, column, says=_UNITS.get(name, ""))


def by_values(title: str, column: Any, *, says: str) -> ItemColors:
    """Color by a column. column: an array with the value of each item, of a type that has colors."""
    form = _form(column.type)
    if form == "words" or (form == "whole" and _few(column)):
        return _classes(title, column, None)
    if form == "dates":
        column = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    if form == "decimal":
        column = column.cast(pa.float64(), safe=False)
    values = pc.cast(column, pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
    return by_numbers(title, values, says=says, dates=form == "dates")


def by_unit(store: Store, layer: str, unit: int) -> ItemColors:
    """Return the maxima of a unit: one column of maxima/. Raises LayerError."""
    return by_numbers(f"unit {unit} of {layer}", store.maxima(layer, unit), says="maximum")


def by_numbers(
    title: str, values: np.ndarray, *, says: str, logarithmic: bool = False, dates: bool = False
) -> ItemColors:
    """Color by numbers. values: (images,) float, by image_id; what is not finite is missing."""
    most = np.finfo(np.float32).max
    values = np.clip(np.where(np.isfinite(values), values, np.nan), -most, most).astype(np.float32)
    there = values[~np.isnan(values)]
    low = high = smallest = largest = 0.0
    if len(there):
        low, high = map(float, np.quantile(there, (_OUTER, 1 - _OUTER), method="nearest"))
        smallest, largest = float(there.min()), float(there.max())
    if low == high:  # nearly all are equal: what differs is what is to be seen
        low, high = smallest, largest
    return ItemColors(
        title,
        "numbers",
        values,
        says=says,
        low=low,
        high=high,
        smallest=smallest,
        largest=largest,
        logarithmic=logarithmic,
        dates=dates,
    )


def at_rows(colors: ItemColors, rows: np.ndarray) -> ItemColors:
    """Return the same of the items at some rows, each of which may come again. rows: (n,) int64."""
    values = colors.values[rows]
    if colors.kind == "numbers":
        return by_numbers(
            colors.title, values, says=colors.says, logarithmic=colors.logarithmic, dates=colors.dates
        )
    there = values[~np.isnan(values)].astype(np.int64)
    if colors.kind == "marked":
        return replace(colors, values=values, counts=(len(there),))
    counts = np.bincount(there, minlength=len(colors.names)).tolist()
    return replace(colors, values=values, counts=tuple(counts))


def marked(title: str, images: int, ids: np.ndarray) -> ItemColors:
    """Return some images against all others. ids: (m,) int64."""
    values = np.full(images, np.nan, np.float32)
    values[ids] = 1
    return ItemColors(title, "marked", values, names=(title,), counts=(len(ids),))


def _correct(store: Store) -> ItemColors:
    if CORRECT in store.images_schema.names:
        right = store.images([CORRECT])[CORRECT]
    else:
        table = store.images(["predicted", "label_index"])
        right = pc.equal(table["predicted"], table["label_index"])
    wrong = pc.if_else(right, 0.0, 1.0).cast(pa.float32()).fill_null(np.nan).to_numpy()
    counts = (int((wrong == 0).sum()), int((wrong == 1).sum()))
    return ItemColors("correctness", "share", wrong, names=("correct", "incorrect"), counts=counts)


def _classes(title: str, column: Any, names: tuple[str, ...] | None) -> ItemColors:
    """Return the classes by name where each has a colour; else the commonest, and all others together as the last."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    known = [_name(value, names) for value in encoded.dictionary.to_pylist()]
    counts = np.bincount(codes[codes >= 0], minlength=len(known))
    order = sorted(range(len(known)), key=lambda code: (-counts[code], known[code]))
    shown = order if len(order) <= _MOST else order[: _MOST - 1]
    if names is None:
        shown.sort(key=lambda code: known[code])
    elif len(order) <= _MOST:
        shown.sort(key=lambda code: encoded.dictionary[code].as_py())
    number = np.full(len(known) + 1, len(shown), np.float32)
    number[shown] = np.arange(len(shown))
    number[-1] = np.nan  # where a code of -1 points
    told = [known[code] for code in shown]
    totals = [int(counts[code]) for code in shown]
    if len(order) > len(shown):
        told.append(f"{len(order) - len(shown):,} others")
        totals.append(int(counts.sum()) - sum(totals))
    return ItemColors(title, "classes", number[codes], names=tuple(told), counts=tuple(totals))


def _name(value: object, names: tuple[str, ...] | None) -> str:
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return str(value)


def _few(column: Any) -> bool:
    return pc.count_distinct(column).as_py() <= _MOST


def _form(kind: pa.DataType) -> Literal["words", "whole", "numbers", "dates", "decimal"] | None:
    """Return how the values of a column are drawn; None where they cannot be."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_boolean(kind):
        return "words"
    if pa.types.is_integer(kind):
        return "whole"
    if pa.types.is_floating(kind):
        return "numbers"
    if pa.types.is_decimal(kind):
        return "decimal"
    return "dates" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else None
