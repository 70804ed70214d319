"""Dates and times in filters: reads ISO 8601 text, and compares it exactly with dates and timestamps of any unit."""

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from ..compute import pc
from .numbers import compare_between, compare_scaled

_TEXT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimeTextError(ValueError):
    """The text is not one that a column can be compared with; the message says what is."""


def nanoseconds(text: str, kind: pa.DataType) -> int:
    """Return the nanoseconds since 1970 of text that is compared with a column of this type.

    Text without a zone is in the column's own. Raises TimeTextError.
    """
    zone = _zone(kind)
    examples = "'2024-01-31', '2024-01-31 12:30:00'" + (
        "" if zone is None else ", '2024-01-31 12:30:00+02:00'"
    )
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise TimeTextError(f"write {examples}")
    day, clock, fraction, given = found.groups()
    if given and zone is None:
        raise TimeTextError(f"the column has no time zone: write {examples}")
    try:
        local = datetime.fromisoformat(f"{day}T{clock or '00:00'}").replace(tzinfo=UTC)
        if given:
            offset = given.upper().replace("Z", "+00:00")
            local = datetime.fromisoformat(f"{local:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + offset)
    except ValueError:
        raise TimeTextError(f"there is no such day or time; write {examples}") from None
    micro = (local - _EPOCH) // (datetime.resolution)
    if zone is not None and not given:
        micro = _in_zone(micro, zone)
    return micro * 1000 + int((fraction or "0").ljust(9, "0"))


def same_clock(left: pa.DataType, right: pa.DataType) -> bool:
    """Return whether two columns of dates or times can be compared: both have a zone, or neither has."""
    return (_zone(left) is None) == (_zone(right) is None)


def compare_time(values: pa.ChunkedArray, operator: str, text: str) -> np.ndarray:
    """Return `values operator text`, (rows,) bool; anything where a value is null."""
    unit = _unit(values.type)
    whole, rest = divmod(nanoseconds(text, values.type), unit)
    return compare_between(_integers(values), operator, whole, exact=rest == 0)


def compare_times(left: pa.ChunkedArray, operator: str, right: pa.ChunkedArray) -> np.ndarray:
    """Return `left operator right` of two columns, (rows,) bool; anything where a value is null."""
    return compare_scaled(_integers(left), operator, _integers(right), _unit(left.type), _unit(right.type))


def _unit(kind: pa.DataType) -> int:
    """Return nanoseconds of one step of a column."""
    if pa.types.is_date32(kind):
        return _DAY
    return _UNITS["ms"] if pa.types.is_date64(kind) else _UNITS[kind.unit]


def _zone(kind: pa.DataType) -> str | None:
    return kind.tz if pa.types.is_timestamp(kind) else None


def _integers(values: pa.ChunkedArray) -> np.ndarray:
    whole = values.cast(pa.int32()) if pa.types.is_date32(values.type) else values
    return pc.fill_null(whole.cast(pa.int64()), 0).to_numpy()


def _in_zone(micro: int, zone: str) -> int:
    """Return UTC of a local time; where clocks are put back the first of the two, where put on the time of the
    change.
    """
    local = pa.scalar(micro, pa.timestamp("us"))
    try:
        return pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="earliest").value
    except pa.ArrowInvalid:
        raise TimeTextError(
            f"the time zone {zone!r} is not known here; write one: '2024-01-31 12:30:00Z'"
        ) from None
