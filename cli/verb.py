"""What a verb of the command line is: a name, one line of help, a table of arguments, and the function that runs it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Argument:
    """One argument, as argparse takes it: names (`STORE`, or `-k` and `--units`) and the options of `add_argument`."""

    names: tuple[str, ...]
    help: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Verb:
    """One verb.

    run: does it, prints the answer and gives the exit code.
    resume: what a person who stops the verb with Ctrl-C should know.
    """

    name: str
    summary: str
    description: str
    arguments: tuple[Argument, ...]
    run: Callable[[Namespace], int]
    resume: str = ""

    def add_to(self, parser: ArgumentParser) -> None:
        """Declares the arguments."""
        for one in self.arguments:
            parser.add_argument(*one.names, help=one.help, **one.options)


def argument(*names: str, help: str, **options: Any) -> Argument:
    """An `Argument`, written as a call of `add_argument` would be. Positionals are shown in capitals."""
    if not names[0].startswith("-"):
        options.setdefault("metavar", names[0])
        names = (names[0].lower(),)
    return Argument(names, help, options)


JSON = argument("--json", action="store_true", help="print one JSON value for programs instead of tables")
"""Shared by every verb that answers something."""
