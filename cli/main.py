"""The `unitscope` command: finds the verb, runs it, and turns what went wrong into one message and an exit code.

Nothing heavy is imported here or at the top of a verb's file: `unitscope --help` must answer at once.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C, 143 ended with SIGTERM.
"""

import shlex
import signal
import sys
import threading
import traceback
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from ..common.errors import UnitscopeError
from . import atlas, demo, index, layers, neighbors, serve, sweep, top, verify
from .output import ReaderGoneError, flush
from .stdout import answers_alone, drop_answers
from .verb import Verb

VERBS: tuple[Verb, ...] = (
    layers.VERB,
    sweep.VERB,
    index.VERB,
    atlas.VERB,
    top.VERB,
    neighbors.VERB,
    verify.VERB,
    serve.VERB,
    demo.VERB,
)

DESCRIPTION = (
    "Sweep a whole image dataset through a vision model once, and ask what every unit and every image did."
)
EPILOG = "`unitscope VERB --help` explains a verb. New here? `unitscope demo` shows all of it in about two minutes."

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
TERMINATED = 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments` (by default this process's own) and gives the exit code.

    Wrong usage ends, as argparse does, with SystemExit(2).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        parser().print_help(sys.stderr)
        return WRONG_USAGE
    parsed = parser().parse_args(words)
    verb: Verb = parsed.verb
    try:
        with answers_alone(for_good=arguments is None), _ending_on_sigterm():
            code = verb.run(parsed)
            flush()
    except UnitscopeError as error:
        _say(f"unitscope {verb.name}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted(verb, words)
    except ReaderGoneError:
        return _reader_gone()
    except Exception:  # noqa: BLE001 - the last line of defence, which hides nothing
        return _bug()
    return code


def parser() -> ArgumentParser:
    """The parser of the whole command line, made from the verbs' tables."""
    top_level = ArgumentParser(prog="unitscope", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    top_level.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    choices = top_level.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        one = choices.add_parser(
            verb.name,
            help=verb.summary,
            description=verb.description,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.add_to(one)
        one.set_defaults(verb=verb)
    return top_level


class _Version(Action):
    """Prints the installed version. It is looked up only when asked for, since the look-up costs time."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: Any = None
    ) -> NoReturn:
        from importlib.metadata import version

        print(f"unitscope {version('unitscope')}")
        parser.exit()


@contextmanager
def _ending_on_sigterm() -> Generator[None]:
    """SIGTERM unwinds like Ctrl-C, so that locks and workers are let go; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupted(verb: Verb, words: Sequence[str]) -> int:
    again = shlex.join(["unitscope", *words])
    _say(
        f"\nunitscope {verb.name}: stopped. {verb.resume}\n  {again}"
        if verb.resume
        else "\nunitscope: stopped"
    )
    return INTERRUPTED


def _reader_gone() -> int:
    """Whoever read the answer had enough of it (`unitscope top … | head`): no failure."""
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
