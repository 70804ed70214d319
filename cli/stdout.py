"""The stream that answers are printed on: stdout, which nothing else reaches while a command runs.

with answers_alone(for_good=True):
    command.run(arguments)  # `print` in a user's network goes to stderr
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TextIO

from ..common.private_stdout import STDOUT, give_stdout, take_stdout

_answers: list[TextIO] = []
"""The innermost stream last."""


def answers() -> TextIO:
    """Return the stream for answers; sys.stdout outside `answers_alone`."""
    return _answers[-1] if _answers else sys.stdout


@contextmanager
def answers_alone(*, for_good: bool) -> Generator[None]:
    """Make `answers()`, inside, be the stdout of before, and everything else that is written on stdout goes to stderr.

    for_good: the process ends afterwards, and what is printed while it ends is not an answer either. The file
    descriptor is taken only where sys.stdout is the process's own: a program that runs a command may have put
    something else there.
    """
    before: TextIO | None = sys.stdout
    if before is None:  # it was closed: nobody reads the answers
        before = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    own = before is sys.__stdout__ and _descriptor(before) == STDOUT
    stream = before
    if own:
        stream = os.fdopen(take_stdout(), "w", encoding=before.encoding, errors=before.errors)
    else:
        sys.stdout = sys.stderr
    _answers.append(stream)
    try:
        yield
    finally:
        if not for_good:
            _answers.pop()
            sys.stdout = before
            if own:
                give_stdout(stream.fileno())
                with suppress(BrokenPipeError):  # whoever read it is gone, as an earlier write has said
                    stream.close()


def drop_answers() -> None:
    """Let go of whatever is not written yet: nobody reads it any more."""
    # The interpreter flushes the stream when it ends; without this it would complain about the pipe then.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, answers().fileno())


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # closed, or no file
        return None
