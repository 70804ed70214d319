"""Keeps a process's stdout for its own answers: whatever else is printed goes to stderr.

A user's network may print in `forward`, at import, at exit, from C or from a process that it starts; a program that
reads the answers must not read that too.
"""

import os
import sys
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl

STDOUT, STDERR = 1, 2


def take_stdout() -> int:
    """Duplicate stdout for this process alone, and let everybody else's stdout be stderr, for good.

    Returns the duplicate's file descriptor. Raises OSError where stdout is closed.
    """
    if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison]  # it is None where it was closed
        with suppress(OSError, ValueError):
            sys.stdout.flush()
    taken = fcntl(STDOUT, F_DUPFD_CLOEXEC, 3)  # `dup` would give a closed stderr's number
    give_stdout(STDERR)
    sys.stdout = sys.stderr
    return taken


def give_stdout(to: int) -> None:
    """Make stdout the same file as `to`; nothing at all where that is closed."""
    try:
        os.dup2(to, STDOUT)
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, STDOUT)
        os.close(nothing)
