"""Define a command: a name, one line of help, a table of arguments, and the function that runs it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Argument:
    """One argument, as argparse takes it: names (`STORE`, or `-k` and `--units`) and the options of `add_argument`.

    group: of those that exclude each other.
    """

    names: tuple[str, ...]
    help: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    group: str | None = None


@dataclass(frozen=True)
class Command:
    """One command.

    run: does it, prints the answer and gives the exit code.
    resume: what a person who stops the command with Ctrl-C should know.
    """

    name: str
    summary: str
    description: str
    arguments: tuple[Argument, ...]
    run: Callable[[Namespace], int]
    resume: str = ""

    def add_to(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        groups = {
            name: parser.add_mutually_exclusive_group()
            for name in dict.fromkeys(one.group for one in self.arguments)
            if name is not None
        }
        for one in self.arguments:
            holder = parser if one.group is None else groups[one.group]
            holder.add_argument(*one.names, help=one.help, **one.options)


def argument(*names: str, help: str, group: str | None = None, **options: Any) -> Argument:
    """Return an `Argument`, written as a call of `add_argument` would be. Positionals are shown in capitals."""
    if not names[0].startswith("-"):
        options.setdefault("metavar", names[0])
        names = (names[0].lower(),)
    return Argument(names, help, options, group)


JSON = argument("--json", action="store_true", help="print one JSON value for programs instead of tables")
"""Shared by every command that answers something."""

TRUST_MODEL = argument(
    "--trust-model",
    action="store_true",
    help="run the Python code and load the weights that the store names, though you did not sweep it on this machine",
)
TRUST_DATA = argument(
    "--trust-data",
    action="store_true",
    help="read images where the store says that they are, though you did not sweep it on this machine",
)
"""Shared by the commands that may run a store's network or read its dataset."""
