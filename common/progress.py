"""What long work says about itself while it runs: named stages, each with a count. Rendering is the command line's.

    with progress.stage("sweeping", plan.images, "images") as stage:
        for record in records:
            stage.advance(record.images)

Every method may be called from any thread.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Note = Callable[[str], None]
"""Shows one line that a person should read now."""


def silent(_: str) -> None:
    """Show nothing."""


class Stage(Protocol):
    """One stretch of work."""

    def advance(self, done: int = 1, /) -> None:
        """Note that `done` more of the stage's unit are finished."""
        ...

    def note(self, text: str, /) -> None:
        """Note a line that a person should read now: a warning, or what the stage found."""
        ...


class Progress(Protocol):
    """Whoever shows the stages of one piece of long work."""

    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Stage]:
        """Begin the stage `name` of `total` `unit` (images, shards, tables); None where the total is not known.

        The stage ends with the context; an exception that leaves it means that the stage was not finished.
        """
        ...


class _SilentStage:
    def advance(self, done: int = 1, /) -> None:
        pass

    def note(self, text: str, /) -> None:
        pass


class _SilentProgress:
    def stage(self, name: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Stage]:
        return nullcontext(_SilentStage())


SILENT: Progress = _SilentProgress()
"""Says nothing: the default of every job."""
