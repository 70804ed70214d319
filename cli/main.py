"""The `unitscope` program: finds the command, runs it, and turns what went wrong into one message and an exit code.

Nothing heavy is imported here or at the top of a command's file: `unitscope --help` must answer at once.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C, 143 with SIGTERM, 129 with SIGHUP.
"""

import shlex
import sys
import traceback
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from ..common.errors import UnitscopeError
from .command import Command
from .commands import atlas, demo, explain, index, layers, neighbors, serve, sweep, top, verify
from .output import ReaderGoneError, flush
from .signals import Stopping, end_now, stopping_on_signals
from .stdout import answers_alone, drop_answers

COMMANDS: tuple[Command, ...] = (
    layers.COMMAND,
    sweep.COMMAND,
    index.COMMAND,
    atlas.COMMAND,
    top.COMMAND,
    neighbors.COMMAND,
    explain.COMMAND,
    verify.COMMAND,
    serve.COMMAND,
    demo.COMMAND,
)

DESCRIPTION = (
    "Sweep a whole image dataset through a vision model once, and query what every unit and every image did."
)
EPILOG = "`unitscope COMMAND --help` explains a command. New here? `unitscope demo` shows all in about two minutes."

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (by default this process's own) and gives the exit code.

    Wrong usage ends, as argparse does, with SystemExit(2).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        parser().print_help(sys.stderr)
        return WRONG_USAGE
    parsed = parser().parse_args(words)
    command: Command = parsed.command
    own = arguments is None
    stop = _StopMessage(command, words)
    with stopping_on_signals(stop.say, for_good=own) as stopping:
        code = _run(command, parsed, stopping, own=own)
        if stopping.code is None:
            return code
        stop.say()
        if own:
            end_now(stopping.code)
        return stopping.code


def _run(command: Command, parsed: Namespace, stopping: Stopping, *, own: bool) -> int:
    """Run the command, say what went wrong, and return the exit code."""
    try:
        with answers_alone(for_good=own):
            code = command.run(parsed)
            flush()
    except KeyboardInterrupt:
        stopping.code = stopping.code or INTERRUPTED
    except ReaderGoneError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the last line of defence, which hides nothing
        if stopping.code is not None:  # the interrupted work has made something else of the signal
            return stopping.code
        if not isinstance(error, UnitscopeError):
            return _bug()
        _say(f"unitscope {command.name}: {error}")
        return error.exit_code
    else:
        return code
    return stopping.code


def parser() -> ArgumentParser:
    """Return the parser of the whole command line, made from the commands' tables."""
    top_level = ArgumentParser(prog="unitscope", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    top_level.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    top_level.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh", "tcsh"),
        help="print the completion script of a shell and exit",
    )
    choices = top_level.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = choices.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_to(one)
        one.set_defaults(command=command)
    return top_level


class _Version(Action):
    """Prints the installed version. It is looked up only when asked for, since the look-up costs time."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: Any = None
    ) -> NoReturn:
        from importlib.metadata import version

        print(f"unitscope {version('unitscope')}")
        parser.exit()


class _Completion(Action):
    """Prints a shell's completion script, made from the parser."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: Any = None
    ) -> NoReturn:
        import shtab

        print(shtab.complete(parser, values))
        parser.exit()


class _StopMessage:
    """Tell a person who stopped a command what to do next, once."""

    def __init__(self, command: Command, words: Sequence[str]) -> None:
        again = shlex.join(["unitscope", *words])
        self._text = "unitscope: stopped"
        if command.resume:
            self._text = f"unitscope {command.name}: stopped. {command.resume}\n  {again}"
        self._said = False

    def say(self) -> None:
        """Show it on stderr."""
        if not self._said:
            self._said = True
            _say("\n" * sys.stderr.isatty() + self._text)


def _reader_gone() -> int:
    """End quietly: whoever read the answer had enough of it (`unitscope top … | head`): no failure."""
    drop_answers()
    return 0


def _bug() -> int:
    _say(traceback.format_exc().rstrip())
    _say("unitscope: this is a bug in Unitscope, not in your data. Please report it with the lines above.")
    return FAILED


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads stderr any more; the exit code still tells
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
