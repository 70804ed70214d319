"""Tables, JSON and numbers with units."""

import io
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unitscope.cli import output
from unitscope.cli.output import Column

COLUMNS = (Column("layer"), Column("units", right=True))


@dataclass
class Row:
    layer: str
    values: np.ndarray


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_plain_table_is_aligned(capsys):
    output.print_table(COLUMNS, [("conv1", 64), ("a", 1024)])
    assert capsys.readouterr().out == "layer  units\nconv1     64\na       1024\n"


def test_a_plain_table_without_rows_has_its_titles(capsys):
    output.print_table(COLUMNS, [])
    assert capsys.readouterr().out == "layer  units\n"


def test_a_terminal_gets_the_same_cells_drawn(monkeypatch):
    drawn = on_terminal(monkeypatch, TERM="xterm-256color")
    assert "\x1b[" in drawn and "conv1" in drawn and "1024" in drawn


def test_no_color_is_respected(monkeypatch):
    drawn = on_terminal(monkeypatch, TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[3" not in drawn and "conv1" in drawn


def test_names_in_a_dataset_do_not_steer_the_terminal(capsys, monkeypatch):
    output.print_table(COLUMNS, [("a\x1b[2Jb\nc", 1)])
    assert capsys.readouterr().out.splitlines()[1].startswith(r"a\x1b[2Jb\nc")
    assert "[red]x" in on_terminal(monkeypatch, rows=[("[red]x", 1)], TERM="xterm")


def test_a_file_name_that_is_no_text_prints(capsys):
    output.print_table(COLUMNS, [(b"caf\xe9.png".decode(errors="surrogateescape"), 1)])
    assert r"caf\udce9.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (1234567, "1234567"),
        (0.123456, "0.1235"),
        ("x", "x"),
    ],
)
def test_cells(value, text):
    assert output.cell(value) == text


def test_json_of_dataclasses_arrays_and_paths(capsys):
    output.print_json([Row("a", np.arange(2, dtype=np.int32)), np.float32(0.5), {1: Path("x")}, (None, True)])
    assert json.loads(capsys.readouterr().out) == [
        {"layer": "a", "values": [0, 1]},
        0.5,
        {"1": "x"},
        [None, True],
    ]


def test_json_has_no_nan(capsys):
    output.print_json([math.nan, np.float32("inf"), -math.inf])
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == ["NaN", "Infinity", "-Infinity"]


def test_json_refuses_what_it_cannot_write():
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        output.print_json(object())


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_json_keeps_float32_exactly(value):
    text = json.dumps(output._plain(np.float32(value)))
    assert np.float32(json.loads(text)) == np.float32(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (7_800, "2 h 10 min"),
        (400_000, "4 d 15 h"),
    ],
)
def test_durations(seconds, text):
    assert output.duration(seconds) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_200, "1.2 kB"),
        (274_462, "274 kB"),
        (999_400_000, "999 MB"),
        (999_600_000, "1.0 GB"),
        (7.04e9, "7.0 GB"),
        (3e15, "3,000 TB"),
    ],
)
def test_sizes(length, text):
    assert output.size(length) == text


def test_counts_and_rates():
    assert output.count(1, "images") == "1 image"
    assert output.count(50_000, "images") == "50,000 images"
    assert output.count(2_000, "bytes") == "2.0 kB"
    assert output.rate(1_000, 2, "images") == "500 images/s"
    assert output.rate(1, 2, "shards") == "0.5 shards/s"
    assert output.rate(1, 0, "shards") == "– shards/s"
    assert output.rate(3e6, 2, "bytes") == "1.5 MB/s"


def test_an_encoding_without_our_letters_still_gets_the_table():
    code = "from unitscope.cli.output import *; print_table([Column('é')], [(None,), ('x',)])"
    run = subprocess.run(
        [sys.executable, "-P", "-X", "utf8=0", "-c", code],
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        check=True,
    )
    assert run.stdout == b"?\n?\nx\n"


def on_terminal(monkeypatch, rows=(("conv1", 64), ("a", 1024)), **environment) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        output.print_table(COLUMNS, rows)
    return stream.getvalue()
