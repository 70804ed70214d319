"""Shows the progress of long work on stderr: bars with rate and time left on a terminal, otherwise a line now and then.

with show_progress() as progress:
    report = sweep(config, progress=progress)
"""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TextIO

from ..common.progress import Progress, Stage
from .output import clean, count, duration, pace_of, rate

LINE_SECONDS = 10.0
"""Without a terminal: after so long there is a line, if anything was done at all."""
LINE_SHARE = 0.1
"""Without a terminal: each such share of the work has its line …"""
LINE_PAUSE = 1.0
"""… unless the last line is younger than this."""


@contextmanager
def show_progress() -> Generator[Progress]:
    """Return progress on stderr, in the form that suits it."""
    if not sys.stderr.isatty():
        yield Lines(sys.stderr)
        return
    from .bars import Bars

    with Bars(sys.stderr) as bars:
        yield bars


class Lines:
    """Progress as lines of text. Each stage has a first and a last line, and some between them."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = Lock()

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Generator[Stage]:
        """See `Progress`."""
        stage = _LineStage(self.say, self._clock, name, total, unit)
        stage.begin()
        yield stage
        stage.end()

    def say(self, text: str) -> None:
        """Write one line. A stderr that nobody reads any more does not stop the work."""
        with suppress(OSError), self._lock:
            self._stream.write(clean(text) + "\n")
            self._stream.flush()


class _LineStage:
    """Counts, and decides when a line is due."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float], name: str, total: int | None, unit: str
    ) -> None:
        self._say = say
        self._clock = clock
        self._name = name
        self._total = total
        self._unit = unit
        self._lock = Lock()
        self._done = 0
        self._started = self._last = clock()
        self._last_share = 0.0

    def begin(self) -> None:
        self._say(
            f"{self._name}: {count(self._total, self._unit)}"
            if self._total is not None
            else f"{self._name} …"
        )

    def advance(self, done: int = 1, /) -> None:
        """See `Stage`."""
        with self._lock:
            self._done += done
            now = self._clock()
            line = self._line(now - self._started) if self._is_due(now) else None
        if line is not None:
            self._say(line)

    def note(self, text: str, /) -> None:
        """See `Stage`."""
        self._say(f"{self._name}: {text}")

    def end(self) -> None:
        seconds = self._clock() - self._started
        speed = (
            f" ({rate(self._done, seconds, self._unit)})"
            if self._unit and self._done and seconds >= 1
            else ""
        )
        done = f"{count(self._done, self._unit)} " if self._done else "done "
        self._say(f"{self._name}: {done}in {duration(seconds)}{speed}")

    def _is_due(self, now: float) -> bool:
        share = self._done / self._total if self._total else 0.0
        if share >= 1:
            return False  # the last line follows
        due = now - self._last >= LINE_SECONDS
        due |= share - self._last_share >= LINE_SHARE and now - self._last >= LINE_PAUSE
        if due:
            self._last, self._last_share = now, share
        return due

    def _line(self, seconds: float) -> str:
        pace = pace_of(self._done, self._total, self._unit, seconds)
        if not self._total:
            return f"{self._name}: {count(self._done, self._unit)}, {pace}"
        share = f"{self._done / self._total:.0%}"
        return f"{self._name}: {self._done:,} of {count(self._total, self._unit)} ({share}), {pace}"
