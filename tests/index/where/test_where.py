"""The filter language against a row-by-row evaluator, hostile text, and the words of its errors."""

import datetime
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unitscope.common.errors import FilterError
from unitscope.index.where.parser import MAX_DEPTH, parse

SCHEMA = pa.schema(
    [
        ("image_id", pa.int64()),
        ("label", pa.string()),
        ("label_index", pa.int32()),
        ("predicted", pa.int32()),
        ("probability", pa.float32()),
        ("odd `name`", pa.dictionary(pa.int8(), pa.string())),
        ("and", pa.bool_()),
        ("day", pa.date32()),
        ("box", pa.list_(pa.int32())),
    ]
)
ROWS: list[dict[str, Any]] = [
    {
        "image_id": i + (2**53 if i % 7 == 0 else 0),
        "label": [None, "cat", "dog", "it's", 'say "hi"', "Ünï", ""][i % 7],
        "label_index": [None, 0, 1, 2, 3][i % 5],
        "predicted": [0, 1, None][i % 3],
        "probability": [None, 0.5, 0.9, 1.0, 1e-9][(i // 2) % 5],
        "odd `name`": [None, "x", "y"][i % 3],
        "and": [True, False, None, True][i % 4],
        "day": [datetime.date(2024, 1, 1 + i % 3), None][i % 2],
        "box": [[1], None][i % 2],
    }
    for i in range(70)
]
TABLE = pa.Table.from_pylist(ROWS, schema=SCHEMA)
ROWS = TABLE.to_pylist()  # numbers as the columns hold them


def value(row: dict[str, Any], name: str) -> Any:
    if name == "correct":
        sides = row["predicted"], row["label_index"]
        return None if None in sides else sides[0] == sides[1]
    return row[name]


def slow(tree: tuple[Any, ...], row: dict[str, Any]) -> bool | None:  # noqa: PLR0911
    """SQL's three-valued logic, one row at a time."""
    match tree:
        case ("and", left, right):
            answers = slow(left, row), slow(right, row)
            return False if False in answers else None if None in answers else True
        case ("or", left, right):
            answers = slow(left, row), slow(right, row)
            return True if True in answers else None if None in answers else False
        case ("not", inner):
            answer = slow(inner, row)
            return None if answer is None else not answer
        case ("null", name, wanted):
            return (value(row, name) is None) == wanted
        case ("bare", name):
            return value(row, name)
        case ("in", name, values, wanted):
            own = value(row, name)
            if own is None:
                return None
            return (own in [at(name, one) for one in values]) == wanted
        case ("compare", name, operator, other):
            own, other = value(row, name), at(name, other)
        case ("columns", name, operator, second):
            own, other = value(row, name), value(row, second)
        case _:
            raise AssertionError(tree)
    if own is None or other is None:
        return None
    signs = {"=": own == other, "!=": own != other}
    if not isinstance(own, bool):
        signs |= {"<": own < other, "<=": own <= other, ">": own > other, ">=": own >= other}
    return signs[operator]


def at(name: str, literal: Any) -> Any:
    """A number as the float32 column holds it."""
    with np.errstate(over="ignore"):
        return float(np.float32(literal)) if name == "probability" else literal


def write(tree: tuple[Any, ...]) -> str:  # noqa: PLR0911
    match tree:
        case ("and" | "or" as word, left, right):
            return f"({write(left)}) {word.upper()} ({write(right)})"
        case ("not", inner):
            return f"NOT ({write(inner)})"
        case ("null", name, wanted):
            return f"{quoted(name)} is {'' if wanted else 'not '}null"
        case ("bare", name):
            return quoted(name)
        case ("in", name, values, wanted):
            return f"{quoted(name)} {'' if wanted else 'not '}in ({', '.join(map(literal, values))})"
        case ("compare", name, operator, other):
            return f"{quoted(name)} {operator} {literal(other)}"
        case ("columns", name, operator, second):
            return f"{quoted(name)}{operator}{quoted(second)}"
        case _:
            raise AssertionError(tree)


def quoted(name: str) -> str:
    return name if name.isidentifier() and name != "and" else "`" + name.replace("`", "``") + "`"


def literal(one: Any) -> str:
    if isinstance(one, bool):
        return str(one)
    return "'" + one.replace("'", "''") + "'" if isinstance(one, str) else repr(one)


NUMBERS = {
    "image_id": st.one_of(
        st.integers(-1, 70), st.integers(2**53 - 1, 2**53 + 70), st.sampled_from([2**70, 6.5])
    ),
    "label_index": st.one_of(st.integers(-1, 4), st.sampled_from([-(2**40), 1.5, 1e300])),
    "probability": st.sampled_from([0, 1, 0.5, 0.9, 1e-9, -1, 1e300, 2**70]),
}
TEXTS = {
    "label": st.sampled_from(["cat", "dog", "it's", 'say "hi"', "Ünï", "", "zebra"]),
    "odd `name`": st.sampled_from(["x", "y", "z"]),
}
LITERALS = NUMBERS | TEXTS
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


def leaves() -> st.SearchStrategy[tuple[Any, ...]]:
    names = st.sampled_from(sorted(LITERALS))
    compare = names.flatmap(lambda name: st.tuples(st.just("compare"), st.just(name), SIGNS, LITERALS[name]))
    among = names.flatmap(
        lambda name: st.tuples(
            st.just("in"), st.just(name), st.lists(LITERALS[name], min_size=1, max_size=4), st.booleans()
        )
    )
    every = st.sampled_from([*SCHEMA.names, "correct"])
    bare = st.tuples(st.just("bare"), st.sampled_from(["and", "correct"]))
    numbers = st.sampled_from(["image_id", "label_index", "predicted"])
    columns = st.tuples(st.just("columns"), numbers, SIGNS, numbers)
    booleans = st.tuples(
        st.just("compare"), st.sampled_from(["and", "correct"]), st.sampled_from(["=", "!="]), st.booleans()
    )
    return st.one_of(
        compare, among, bare, columns, booleans, st.tuples(st.just("null"), every, st.booleans())
    )


TREES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner), st.tuples(st.just("not"), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_agrees_with_a_row_by_row_evaluator(tree):
    found = parse(write(tree), SCHEMA)
    expected = [slow(tree, row) is True for row in ROWS]
    assert found.mask(TABLE).tolist() == expected
    chunked = pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3)])
    assert found.mask(chunked.select(sorted(found.columns))).tolist() == expected
    again = parse(found.canonical, SCHEMA)
    assert again.canonical == found.canonical
    assert again.mask(TABLE).tolist() == expected


WORDS = [
    *(
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "true",
        "label",
        "probability",
        "correct",
        "`and`",
        "day",
        "box",
    ),
    *(
        "(",
        ")",
        ",",
        "=",
        "==",
        "!=",
        "<>",
        "<",
        ">=",
        "1",
        "-2.5e3",
        ".5",
        "'cat'",
        '"dog"',
        "'",
        "`",
        ";",
        "!",
        "\0",
        "é",
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)))
def test_any_text_parses_or_raises_filter_error(text):
    try:
        found = parse(text, SCHEMA)
    except FilterError:
        return
    mask = found.mask(TABLE)
    assert mask.shape == (70,) and mask.dtype == bool


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(" * 10_000 + "label = 'cat'" + ")" * 10_000,
        "not " * 10_000,
        "label = '" + "x" * 1_000_000,
        "x" * 1_000_000,
        "label in (" + "'a'," * 300_000,
        "correct and " * 5_000 + "correct",
        "9" * 60_000,
        "image_id = 1e999",
        "'" * 60_001,
        "label = '\ud800'",
    ],
    ids=lambda text: text[:12].encode("ascii", "replace").decode(),
)
def test_hostile_text_fails_fast(text):
    began = time.perf_counter()
    with pytest.raises(FilterError) as error:
        parse(text, SCHEMA)
    assert time.perf_counter() - began < 2
    assert len(str(error.value)) < 1000


def test_nesting_up_to_the_limit_parses():
    deep = "(" * MAX_DEPTH + "correct" + ")" * MAX_DEPTH
    assert parse(deep, SCHEMA).canonical == "correct"
    assert parse("not " * 4_001 + "correct", SCHEMA).canonical == "not (correct)"


@pytest.mark.parametrize(
    ("text", "message", "caret"),
    [
        ("label > 3", "label is text", 8),
        ("probability = 'x'", "probability is a number", 14),
        ("lable = 'x'", "Did you mean label", 0),
        ("label = cat", "No column 'cat'", 8),
        ("label = null", "is null", 8),
        ("label in ('a', null)", "is null", 15),
        ("0 < probability < 1", "chained", 16),
        ("label", "cannot stand alone", 0),
        ("correct > true", "compare it with `=` or `!=`", 8),
        ("(label = 'a'", "never closed", 0),
        ("label = 'a' label", "expected `and`", 12),
        ("label = 'a", "never closed", 8),
        ("box = 1", "write `box contains", 4),
        ("day > 'soon'", "date", 6),
        ("1 = 1", "at least one side", 0),
        ("label = odd", "No column 'odd'", 8),
        ("label_index = 3x", "after the number", 15),
        ("correct && correct", "write `and`", 8),
        ("label = probability", "cannot be compared", 6),
        ("", "empty", None),
    ],
)
def test_errors_say_what_and_where(text, message, caret):
    with pytest.raises(FilterError) as error:
        parse(text, SCHEMA)
    lines = str(error.value).split("\n")
    assert message in lines[0]
    if caret is not None:
        assert lines[1] == "  " + text
        assert lines[2] == "  " + " " * caret + "^"


def test_a_long_filter_shows_only_the_place():
    text = "label = 'a' or " * 100 + "label = 3"
    with pytest.raises(FilterError) as error:
        parse(text, SCHEMA)
    shown, caret = str(error.value).split("\n")[1:]
    assert len(shown) < 140
    assert shown[caret.index("^")] == "3"


def test_columns_and_spellings():
    found = parse("NOT correct And true", SCHEMA)
    assert found.columns == {"predicted", "label_index"}
    assert (
        parse("label=='cat'", SCHEMA).canonical == parse('"cat" = label', SCHEMA).canonical == "label = 'cat'"
    )
    assert parse("label_index in (2,1,1)", SCHEMA).canonical == "label_index in (1, 2)"
    assert parse("3 < label_index", SCHEMA).canonical == "label_index > 3"


def test_dates():
    mask = parse("day >= '2024-01-02'", SCHEMA).mask(TABLE)
    assert mask.tolist() == [row["day"] is not None and row["day"].day >= 2 for row in ROWS]
    assert parse("day in ('2024-01-01')", SCHEMA).mask(TABLE).any()


def test_without_predictions_there_is_no_correct():
    with pytest.raises(FilterError, match="No column 'correct'"):
        parse("correct", pa.schema([("label", pa.string())]))


def test_an_empty_table():
    assert parse("label = 'cat' or image_id in (1, 2)", SCHEMA).mask(SCHEMA.empty_table()).tolist() == []
