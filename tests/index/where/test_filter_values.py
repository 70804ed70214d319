"""Filters over values of every kind: classes by name, text patterns, lists, numbers at their limits, times, NaN."""

import math
import re
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from unitscope.common.errors import FilterError
from unitscope.index.where.parser import ClassNames, parse

NAMES = ClassNames(("ant", "bee", "crane", "crane", "it's"), lambda: {"n01": 1, "n04": 4})
INTEGERS = [0, 1, -1, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 5, None]
UNSIGNED = [0, 1, 7, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, None]
FLOATS = [0.0, 1.5, -1.0, 2.0**53 - 1, 2.0**53, 2.0**53, 2.0**63, -(2.0**63), float("nan"), None]
MOMENTS = [
    "2024-01-31T00:00:00",
    "2024-01-31T12:30:00",
    "2024-01-31T12:30:00.5",
    "1969-12-31T23:59:59",
    "0001-01-01T00:00:00",
    "9999-12-31T00:00:00",
    "2024-03-31T02:30:00",
    "2024-10-27T02:30:00",
    "2000-02-29T00:00:00",
    None,
]
LABELS = ["ant", "bee", "n01", "crane", "it's", "other", None, "ANT", "a%b", "a\nb"]
TABLE = pa.table(
    {
        "label": LABELS,
        "label_index": pa.array([0, 1, 1, 2, 4, None, None, None, None, 3], pa.int32()),
        "predicted": pa.array([0, 0, 1, 3, 4, 1, 2, 0, None, 3], pa.int32()),
        "big": pa.array(INTEGERS, pa.int64()),
        "ubig": pa.array(UNSIGNED, pa.uint64()),
        "f": pa.array(FLOATS, pa.float64()),
        "g": pa.array([None if v is None else np.float32(v) for v in FLOATS], pa.float32()),
        "tags": pa.array([["x"], [], None, ["y", "x"], [None], ["x%"], ["X"], ["x", "x"], ["é"], [""]]),
        "ids": pa.array([[1], [2**63 - 1], None, [], [2**53], [2**53 + 1], [0], [-1], [3, 4], [5]]),
        "pair": pa.array([[1.5, 2.0]] * 9 + [None], pa.list_(pa.float32(), 2)),
        "flag": [True, False, None] * 3 + [True],
        "day": pa.array([m and datetime.fromisoformat(m).date() for m in MOMENTS], pa.date32()),
        "at": pa.array([m and datetime.fromisoformat(m) for m in MOMENTS], pa.timestamp("us")),
        "coarse": pa.array(
            [m and datetime.fromisoformat(m).replace(microsecond=0) for m in MOMENTS], pa.timestamp("s")
        ),
        "utc": pa.array([m and datetime.fromisoformat(m) for m in MOMENTS], pa.timestamp("us", "UTC")),
        "here": pa.array(
            [m and datetime.fromisoformat(m) for m in MOMENTS], pa.timestamp("us", "Europe/Berlin")
        ),
        "other": LABELS[::-1],
        "odd name": list(range(10)),
        "like": list(range(10)),
        "nan": [float(one) for one in range(10)],
        "blob": [b"x"] * 10,
    }
)
OPERATORS = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def kept(where, table=TABLE):
    found = parse(where, table.schema, NAMES)
    mask = found.mask(table)
    again = parse(found.canonical, table.schema, NAMES)
    assert again.canonical == found.canonical
    assert (again.mask(table) == mask).all()
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("predicted = 'ant'", [0, 1, 7]),
        ("'ant' = predicted", [0, 1, 7]),
        ("predicted != 'ant'", [2, 3, 4, 5, 6, 9]),
        ("predicted = 'n01'", [2, 5]),
        ("predicted = 'crane'", [3, 6, 9]),
        ("predicted = 'it''s'", [4]),
        ("predicted in ('ant', 'bee', 4)", [0, 1, 2, 4, 5, 7]),
        ("predicted not in ('crane')", [0, 1, 2, 4, 5, 7]),
        ("label_index = 'crane'", [3, 9]),
        ("predicted like 'cr%'", [3, 6, 9]),
        ("predicted contains 'an'", [0, 1, 3, 6, 7, 9]),
        ("predicted = label_index", [0, 2, 4, 9]),
        ("predicted = label", [0, 2, 4, 9]),
        ("predicted != label", [1, 3]),
        ("label != predicted", [1, 3]),
        ("not correct", [1, 3]),
        ("predicted = other", [9]),
        ("label = other", []),
        ("label != other", [0, 1, 2, 4, 5, 7, 8, 9]),
    ],
)
def test_classes_by_name(where, rows):
    if where == "predicted = other":
        names = [None if p is None else NAMES.names[p] for p in TABLE["predicted"].to_pylist()]
        rows = [i for i, (n, o) in enumerate(zip(names, LABELS[::-1], strict=True)) if n and n == o]
    if where == "label != other":
        pairs = zip(LABELS, LABELS[::-1], strict=True)
        rows = [i for i, (a, b) in enumerate(pairs) if a and b and a != b]
    if where == "label = other":
        rows = [i for i, (a, b) in enumerate(zip(LABELS, LABELS[::-1], strict=True)) if a and a == b]
    assert kept(where) == rows


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("label like 'a%'", [0, 8, 9]),
        ("label like '_nt'", [0]),
        ("label like 'a\\%b'", [8]),
        ("label like 'a_b'", [8, 9]),
        ("label not like '%n%'", [1, 4, 5, 7, 8, 9]),
        ("label LIKE 'ANT'", [7]),
        ("label contains '%'", [8]),
        ("label contains 'n'", [0, 2, 3]),
        ("label not contains 'n'", [1, 4, 5, 7, 8, 9]),
        ("tags contains 'x'", [0, 3, 7]),
        ("tags not contains 'x'", [1, 4, 5, 6, 8, 9]),
        ("tags contains 'x%'", [5]),
        ("tags contains ''", [9]),
        ("tags is null", [2]),
        (f"ids contains {2**63 - 1}", [1]),
        (f"ids contains {2**53 + 1}", [5]),
        ("ids contains 1.0", [0]),
        ("pair contains 1.5", list(range(9))),
        ("pair contains 3", []),
        ("like = 3 and nan = 3", [3]),
        ("`like` in (1, 2) or nan like_ = 1", None),
        ("f is nan", [8]),
        ("f is not nan", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("g is nan or f is null", [8, 9]),
        ("big is nan", []),
    ],
)
def test_text_lists_and_nan(where, rows):
    if rows is None:
        with pytest.raises(FilterError):
            kept(where)
        return
    assert kept(where) == rows


def test_label_stands_for_labels_where_there_are_several():
    table = pa.table({"label": pa.nulls(3, pa.string()), "labels": [["cat", "dog"], ["bird"], None]})
    assert kept("label contains 'dog'", table) == [0]
    assert kept("labels contains 'bird'", table) == [1]
    assert kept("not (label contains 'dog')", table) == [1]


def exact(value):
    return None if value is None else value if math.isnan(value) else Fraction(value)


@pytest.mark.parametrize("column", ["big", "ubig", "f", "g"])
@pytest.mark.parametrize(
    "literal",
    [
        2**53 - 1,
        2**53,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64 - 1,
        2**64,
        -(2**70),
        10**40,
        1.5,
        -0.5,
        7,
    ],
)
def test_numbers_are_compared_exactly_with_literals(column, literal):
    values = [exact(value) for value in TABLE[column].to_pylist()]
    for operator, compare in OPERATORS.items():
        expected = [i for i, v in enumerate(values) if v is not None and compare(v, Fraction(literal))]
        assert kept(f"{column} {operator} {literal}") == expected, operator
    expected = [i for i, v in enumerate(values) if v is not None and v == literal]
    assert kept(f"{column} in ({literal}, {literal})") == expected


@pytest.mark.parametrize("left", ["big", "ubig", "f", "g"])
@pytest.mark.parametrize("right", ["big", "ubig", "f", "g"])
def test_numbers_are_compared_exactly_with_each_other(left, right):
    pairs = [
        (exact(a), exact(b)) for a, b in zip(TABLE[left].to_pylist(), TABLE[right].to_pylist(), strict=True)
    ]
    for operator, compare in OPERATORS.items():
        expected = [i for i, (a, b) in enumerate(pairs) if None not in (a, b) and compare(a, b)]
        assert kept(f"{left} {operator} {right}") == expected, operator


@pytest.mark.parametrize("text", ["9007199254740993.0", "9007199254740993e0", "900719925474099300e-2"])
def test_a_whole_number_may_be_written_in_any_way(text):
    assert kept(f"big = {text}") == [5]


@pytest.mark.parametrize("column", ["day", "at", "coarse", "utc", "here"])
@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "2024-01-31 12:30",
        "2024-01-31T12:30:00.250",
        "0001-01-01",
        "9999-12-31 23:59:59",
        "2024-10-27 02:30",
    ],
)
def test_times_are_compared_exactly(column, text):
    moments = TABLE[column].to_pylist()
    literal = datetime.fromisoformat(text)
    if column == "day":
        moments = [m and datetime(m.year, m.month, m.day) for m in moments]
    if column == "utc":
        literal = literal.replace(tzinfo=UTC)
    if column == "here":
        if literal.year in (1, 9999):
            pytest.skip("Python cannot make it UTC")
        literal = literal.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
        moments = [None if m is None else datetime.fromisoformat(m).replace(tzinfo=UTC) for m in MOMENTS]
    for operator, compare in OPERATORS.items():
        expected = [i for i, m in enumerate(moments) if m is not None and compare(m, literal)]
        assert kept(f"{column} {operator} '{text}'") == expected, operator


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("utc = '2024-01-31T12:30:00Z'", [1]),
        ("utc = '2024-01-31 14:30:00+02:00'", [1]),
        ("utc = '2024-01-31 14:30:00 +0200'", [1]),
        ("here = '2024-01-31 13:30:00'", [1]),
        ("here = utc", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("at > coarse", [2]),
        ("day = at", [0, 4, 5, 8]),
        ("at in ('2024-01-31', '2024-01-31 12:30:00.5')", [0, 2]),
        ("day not in ('2024-01-31')", [3, 4, 5, 6, 7, 8]),
    ],
)
def test_zones_and_units(where, rows):
    assert kept(where) == rows


def test_nanoseconds_are_not_lost():
    base = np.datetime64("2024-01-31T12:30:00", "ns")
    table = pa.table({"t": pa.array([base + np.timedelta64(n, "ns") for n in range(3)])})
    assert kept("t = '2024-01-31T12:30:00.000000001'", table) == [1]
    assert kept("t < '2024-01-31T12:30:00.000000002'", table) == [0, 1]
    assert kept("t < '9999-01-01' and t > '0001-01-01'", table) == [0, 1, 2]


REFUSED = [
    ("predicted = 'cran'", "'crane'"),
    ("predicted = 'zzz'", "There are 'ant', 'bee'"),
    ("predicted < 'ant'", "`=` or `!=`"),
    ("predicted < label", "`=` or `!=`"),
    ("labl = 'ant'", "label"),
    ("label = 3", "'3'"),
    ("label = true", "'true'"),
    ("big = '12'", "Leave out the quotes: 12."),
    ("big = 'twelve'", "cannot be compared with text."),
    ("flag = 'true'", "Write true or false"),
    ("flag = 1", "Write true or false"),
    ("flag < true", "`=` or `!=`"),
    ("day = 20240131", "'2024-01-31'"),
    ("day = 'yesterday'", "'2024-01-31 12:30:00'"),
    ("day = '2024-02-30'", "'2024-01-31'"),
    ("at = '2024-01-31T00:00:00Z'", "'2024-01-31 12:30:00'"),
    ("utc = 'now'", "'2024-01-31 12:30:00+02:00'"),
    ("at = utc", "no time zone"),
    ("tags = 'x'", "`tags contains"),
    ("tags in ('x')", "`tags contains"),
    ("tags contains 3", "'3'"),
    ("ids contains 'x'", "which 'x' is not"),
    ("big like '1%'", "compares text"),
    ("label like 3", "quotes"),
    ("big contains 1", "asks lists and text"),
    ("label is nan", "only a number"),
    ("blob = 'x'", "only `is null`"),
    ("big = null", "`is null`"),
    ("odd name = 3", "backquotes|expected|No column"),
]


@pytest.mark.parametrize(("where", "told"), REFUSED)
def test_what_is_refused_is_told(where, told):
    with pytest.raises(FilterError, match="|".join(map(re.escape, told.split("|")))):
        kept(where)


def advised(where, message):
    """The filters that a message says to write instead."""
    column, operator = where.split(" ")[0], where.split(" ")[1]
    first = message.split("\n")[0]
    found = [f"{column} is null"] * ("`is null`" in first)
    for quoted in re.findall(r"'(?:[^']|'')*'", first.partition(". ")[2] or first.partition(": ")[2]):
        found.append(f"{column} {operator} {quoted}")
    for bare in re.findall(r"Leave out the quotes: (\S+)\.", first):
        found.append(f"{column} {operator} {bare}")
    if "Write true or false" in first:
        found += [f"{column} = true", f"{column} = false"]
    if "`=` or `!=`" in first:
        found += [re.sub("[<>]", word, where) for word in ("=", "!=")]
    if "contains …" in first:
        found.append(f"{column} contains 'x'")
    return found


def test_no_advice_is_refused():
    count = 0
    for where, _ in REFUSED:
        with pytest.raises(FilterError) as refused:
            kept(where)
        for better in advised(where, str(refused.value)):
            kept(better)
            count += 1
    assert count >= 25
