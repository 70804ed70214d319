"""Progress as lines and as bars."""

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from unitscope.cli import output, progress
from unitscope.cli.bars import Bars
from unitscope.common.progress import SILENT


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def lines(stream, clock):
    return progress.Lines(stream, clock)


def test_rate_and_time_left_each_tenth(lines, stream, clock):
    with lines.stage("sweeping", 1_000, "images") as stage:
        for _ in range(4):
            clock.now += 2
            stage.advance(250)
    assert stream.getvalue().splitlines() == [
        "sweeping: 1,000 images",
        "sweeping: 250 of 1,000 images (25%), 125 images/s, 6.0 s left",
        "sweeping: 500 of 1,000 images (50%), 125 images/s, 4.0 s left",
        "sweeping: 750 of 1,000 images (75%), 125 images/s, 2.0 s left",
        "sweeping: 1,000 images in 8.0 s (125 images/s)",
    ]


def test_a_line_every_ten_seconds_in_slow_work(lines, stream, clock):
    with lines.stage("sweeping", 10_000, "images") as stage:
        for _ in range(30):
            clock.now += 1
            stage.advance(1)
    between = stream.getvalue().splitlines()[1:-1]
    assert [line.split(" of ")[0] for line in between] == ["sweeping: 10", "sweeping: 20", "sweeping: 30"]


def test_quick_work_has_two_lines(lines, stream):
    with lines.stage("packing", 500, "files") as stage:
        for _ in range(500):
            stage.advance()
    assert stream.getvalue().splitlines() == ["packing: 500 files", "packing: 500 files in 0.0 s"]


def test_work_of_unknown_length(lines, stream, clock):
    with lines.stage("listing the dataset", None, "images") as stage:
        clock.now += 11
        stage.advance(22_000)
    assert stream.getvalue().splitlines() == [
        "listing the dataset …",
        "listing the dataset: 22,000 images, 2,000 images/s",
        "listing the dataset: 22,000 images in 11 s (2,000 images/s)",
    ]


def test_work_that_fails_is_not_called_done(lines, stream):
    with pytest.raises(KeyError), lines.stage("merging", 3, "tables"):
        raise KeyError
    assert stream.getvalue().splitlines() == ["merging: 3 tables"]


def test_nothing_to_do(lines, stream):
    with lines.stage("sweeping", 0, "images"):
        pass
    assert stream.getvalue().splitlines() == ["sweeping: 0 images", "sweeping: done in 0.0 s"]


def test_notes_are_lines(lines, stream):
    with lines.stage("sweeping", 1, "images") as stage:
        stage.note("no labels")
    assert "sweeping: no labels\n" in stream.getvalue()


def test_a_stderr_that_is_gone_stops_nothing(clock):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with progress.Lines(Gone(), clock).stage("sweeping", 1, "images") as stage:
        stage.advance()


@pytest.mark.parametrize("make", [lambda: progress.Lines(io.StringIO()), lambda: Bars(io.StringIO())])
def test_threads_lose_no_count(make):
    shown = make()
    with shown.stage("sweeping", 8_000, "images") as stage:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: [stage.advance() for _ in range(1_000)], range(8)))
        done = stage.done if hasattr(stage, "done") else stage._done
    assert done == 8_000


def test_a_terminal_gets_bars(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.show_progress() as shown:
        assert isinstance(shown, Bars)
        with shown.stage("sweeping [x]", 10, "images") as stage:
            stage.advance(5)
            stage.note("no [red]labels")
        with shown.stage("listing", None, "files") as stage:
            stage.advance(3)
    drawn = stream.getvalue()
    for text in ("sweeping [x]", "no [red]labels", "3 files"):
        assert text in drawn


def test_a_file_gets_lines(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.show_progress() as shown:
        assert isinstance(shown, progress.Lines)


def test_pace():
    assert output.pace_of(250, 1_000, "images", 2) == "125 images/s, 6.0 s left"
    assert output.pace_of(250, None, "images", 2) == "125 images/s"
    assert output.pace_of(0, 10, "images", 2) == "0.0 images/s"


def test_silence(capfd):
    with SILENT.stage("sweeping", 10, "images") as stage:
        stage.advance(3)
        stage.note("x")
    assert capfd.readouterr() == ("", "")
