"""Progress as bars, drawn by rich, for a terminal. Imported only when there is one."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from ..common.progress import Stage
from .output import clean, count, duration, pace_of


class Bars:
    """`with Bars(sys.stderr) as progress`: one line for each stage, the finished ones above."""

    def __init__(self, stream: TextIO) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Count(),
            _Pace(),
            console=Console(file=stream, highlight=False),
            refresh_per_second=4,
        )

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Generator[Stage]:
        """See `Progress`. A stage that fails keeps its bar where it was."""
        task = self._bars.add_task(clean(name), total=total, unit=unit)
        stage = _BarStage(self._bars, task)
        yield stage
        self._bars.update(task, total=stage.done or 1, completed=stage.done or 1)
        self._bars.stop_task(task)


class _BarStage:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    @property
    def done(self) -> int:
        """What was finished so far."""
        return next(int(task.completed) for task in self._bars.tasks if task.id == self._task)

    def advance(self, done: int = 1, /) -> None:
        """See `Stage`; rich holds a lock."""
        self._bars.advance(self._task, done)

    def note(self, text: str, /) -> None:
        """See `Stage`. The line appears above the bars."""
        self._bars.console.print(clean(text), markup=False)


class _Count(ProgressColumn):
    """`1,024 of 50,000 images`."""

    def render(self, task: Task) -> Text:
        """Return the text of this column."""
        done, unit = int(task.completed), str(task.fields["unit"])
        if task.finished or task.total is None:
            return Text(count(done, unit) if unit else "")
        return Text(f"{done:,} of {count(int(task.total), unit)}")


class _Pace(ProgressColumn):
    """Rate and time left; the whole time once the stage is finished."""

    def render(self, task: Task) -> Text:
        """Return the text of this column."""
        seconds = task.elapsed or 0.0
        if task.finished:
            return Text(duration(seconds), style="green")
        if not task.completed:
            return Text("")
        total = None if task.total is None else int(task.total)
        return Text(pace_of(int(task.completed), total, str(task.fields["unit"]), seconds), style="cyan")
