"""Runs a function in a process of its own, with its progress shown in this one.

For what must not share a process: torch and FAISS, or a service and the training before it.
"""

import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, Protocol

from ..common.errors import UnitscopeError
from ..common.private_stdout import STDERR, give_stdout
from ..common.progress import Progress, Stage

END_SECONDS = 5.0
"""How long a child may take to end after its answer."""


class Pipe(Protocol):
    """One end of a pipe between processes."""

    def send(self, obj: Any, /) -> None: ...

    def recv(self) -> Any: ...


def run_in_child(function: Callable[..., Any], *arguments: Any, progress: Progress) -> Any:
    """Return `function(*arguments, progress=…)` in a fresh process; its result, or its UnitscopeError raised here.

    The function and the arguments must be picklable. Raises UnitscopeError too where the process dies.
    """
    here, there = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(there, function, arguments))
    process.start()
    there.close()
    try:
        result = _follow(here, progress)
        process.join(END_SECONDS)
        return result
    except EOFError:
        process.join()
        raise UnitscopeError(
            f"{function.__name__} ended without an answer (exit code {process.exitcode})"
        ) from None
    finally:
        process.kill()  # it has answered, or is not wanted any more
        process.join()


def _child(pipe: Pipe, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    give_stdout(STDERR)  # whatever a user's network prints is not an answer of the parent's
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the parent ends this process
    try:
        result = function(*arguments, progress=_SentProgress(pipe))
    except UnitscopeError as error:
        pipe.send(("failed", error))
    except Exception as error:  # noqa: BLE001 (whatever it is, the parent shows it)
        pipe.send(("failed", UnitscopeError(f"{error}\n{traceback.format_exc()}")))
    else:
        pipe.send(("done", result))


def _follow(pipe: Pipe, progress: Progress) -> Any:
    """Show what the child says until it is done."""
    stages: dict[int, tuple[ExitStack, Stage]] = {}
    while True:
        kind, *rest = pipe.recv()
        if kind == "done":
            return rest[0]
        if kind == "failed":
            raise rest[0]
        number, *facts = rest
        if kind == "stage":
            stack = ExitStack()
            stages[number] = stack, stack.enter_context(progress.stage(*facts))
        elif kind == "end":
            stages.pop(number)[0].close()
        else:
            getattr(stages[number][1], kind)(*facts)


class _SentStage:
    def __init__(self, pipe: Pipe, number: int) -> None:
        self._pipe = pipe
        self._number = number

    def advance(self, done: int = 1, /) -> None:
        self._pipe.send(("advance", self._number, done))

    def note(self, text: str, /) -> None:
        self._pipe.send(("note", self._number, text))


class _SentProgress:
    """The child's side: every event goes through the pipe. Used from the child's main thread alone."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._numbers = count()

    @contextmanager
    def stage(self, name: str, total: int | None = None, unit: str = "") -> Generator[Stage]:
        number = next(self._numbers)
        self._pipe.send(("stage", number, name, total, unit))
        yield _SentStage(self._pipe, number)
        self._pipe.send(("end", number))
