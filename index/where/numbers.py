"""Compares numbers exactly: integers of any size with floats, and columns with literals. Pure; no I/O.

A float is the number that it holds: 2**53 + 1 is above the float 2**53, whatever a conversion would round it to. One
thing is rounded: a literal with a fraction takes a float column's precision, so that `= 0.9` finds the float32 0.9.
"""

from collections.abc import Callable, Sequence
from math import floor, inf
from typing import Any

import numpy as np

Comparer = Callable[[Any, Any], Any]

COMPARISONS: dict[str, Comparer] = {
    "=": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def compare(left: np.ndarray, operator: str, right: np.ndarray | int | float) -> np.ndarray:
    """Return `left operator right` of numbers of any type, (rows,) bool; NaN is only unequal to everything."""
    if not isinstance(right, np.ndarray):
        if left.dtype.kind == "f":
            return _with_float_column(left, operator, right)
        whole = floor(right)
        return compare_between(left, operator, whole, exact=whole == right)
    if (left.dtype.kind == "f") == (right.dtype.kind == "f"):
        return COMPARISONS[operator](left, right)  # NumPy compares int64 with uint64 exactly
    if left.dtype.kind == "f":
        return _by_order(-_order(right, left), operator)
    return _by_order(_order(left, right), operator)


def compare_between(left: np.ndarray, operator: str, whole: int, *, exact: bool) -> np.ndarray:
    """Return `left operator x` of integers and an x that is `whole`, or else between `whole` and the next integer."""
    if exact:
        return COMPARISONS[operator](left, whole)
    if operator in ("=", "!="):
        return np.full(len(left), operator == "!=")
    return left <= whole if operator in ("<", "<=") else left > whole


def compare_scaled(
    left: np.ndarray, operator: str, right: np.ndarray, left_unit: int, right_unit: int
) -> np.ndarray:
    """Return `left * left_unit operator right * right_unit` of int64; one unit is a multiple of the other."""
    if left_unit < right_unit:
        return _by_order(-_scaled_order(right, left, right_unit // left_unit), operator)
    return _by_order(_scaled_order(left, right, left_unit // right_unit), operator)


def among(values: np.ndarray, literals: Sequence[int | float]) -> np.ndarray:
    """Return which values are equal to one of the literals, (rows,) bool."""
    if values.dtype.kind == "f":
        held = [_at_precision(literal, values.dtype) for literal in literals]
        return np.isin(values, np.array([one for one in held if one is not None], np.float64))
    limits = np.iinfo(values.dtype)
    whole = [int(one) for one in literals if one == floor(one) and limits.min <= one <= limits.max]
    return np.isin(values, np.array(whole, values.dtype))


def _with_float_column(left: np.ndarray, operator: str, right: int | float) -> np.ndarray:
    held = _at_precision(right, left.dtype)
    if held is not None:
        return COMPARISONS[operator](left, held)
    near = float(right)  # an integer that no float is: between this one and one of its neighbours
    below = near if near < right else float(np.nextafter(near, -inf))
    if operator in ("=", "!="):
        return np.full(len(left), operator == "!=")
    wide = left.astype(np.float64, copy=False)
    return wide <= below if operator in ("<", "<=") else wide > below


def _at_precision(literal: int | float, dtype: np.dtype[Any]) -> Any:
    """Return a literal as a float; None for an integer that no float64 is."""
    if isinstance(literal, int):
        wide = float(literal)
        return np.float64(wide) if int(wide) == literal else None
    with np.errstate(over="ignore"):
        narrow = dtype.type(literal)
    return narrow if np.isfinite(narrow) else np.float64(literal)


def _order(integers: np.ndarray, floats: np.ndarray) -> np.ndarray:
    """Return (rows,) float64: -1, 0 or 1 as the integer is below, equal to or above the float; NaN for NaN."""
    wide = floats.astype(np.float64)
    lowest, past = (-(2.0**63), 2.0**63) if integers.dtype.kind == "i" else (0.0, 2.0**64)
    within = (wide >= lowest) & (wide < past)
    whole = np.floor(np.where(within, wide, 0.0))
    target = whole.astype(np.int64 if integers.dtype.kind == "i" else np.uint64)
    order = (integers > target).astype(np.float64) - (integers < target)
    order[(order == 0) & (wide > whole)] = -1
    order[wide < lowest], order[wide >= past] = 1, -1
    order[np.isnan(wide)] = np.nan
    return order


def _scaled_order(left: np.ndarray, right: np.ndarray, factor: int) -> np.ndarray:
    """Do the same as `_order`, of left * factor and right, without a product that could overflow."""
    whole, rest = np.divmod(right, factor)
    order = (left > whole).astype(np.float64) - (left < whole)
    order[(order == 0) & (rest > 0)] = -1
    return order


def _by_order(order: np.ndarray, operator: str) -> np.ndarray:
    return COMPARISONS[operator](order, 0)
