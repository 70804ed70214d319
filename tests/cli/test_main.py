"""The frame of the command: exit codes, and one clear message for whatever goes wrong."""

import os
import signal
import subprocess
import sys
import time

import pytest
from unitscope.cli import main as command
from unitscope.cli.command import Command, argument
from unitscope.cli.output import print_lines
from unitscope.common.errors import LayerError, StoreDamagedError

RUN = [sys.executable, "-P", "-m", "unitscope.cli.main"]

LONG = """
import time
from unitscope.cli import main as command
from unitscope.cli.output import print_lines
from unitscope.cli.command import Command

def run(arguments):
    try:
        print_lines("running")
        time.sleep(60)
    finally:
        print_lines("let go")
    return 0

command.COMMANDS = (Command("sweep", "", "", (), run, resume="Finished shards are kept:"),)
raise SystemExit(command.main(["sweep"]))
"""


@pytest.fixture
def verb(monkeypatch):
    """Makes `unitscope work …` the only verb, running a given function."""

    def make(run, *arguments, resume=""):
        monkeypatch.setattr(
            command, "COMMANDS", (Command("work", "works", "Works.", arguments, run, resume),)
        )

    return make


def raising(error):
    def run(_):
        raise error

    return run


def test_what_the_verb_returns_is_the_exit_code(verb):
    verb(lambda arguments: arguments.number, argument("NUMBER", help="a number", type=int))
    assert command.main(["work", "0"]) == 0
    assert command.main(["work", "1"]) == 1


@pytest.mark.parametrize(
    ("error", "code"), [(StoreDamagedError("it differs"), 1), (LayerError("no such layer"), 2)]
)
def test_our_errors_are_one_message(verb, capsys, error, code):
    verb(raising(error))
    assert command.main(["work"]) == code
    assert capsys.readouterr() == ("", f"unitscope work: {error}\n")


def test_other_errors_are_bugs_with_a_traceback(verb, capsys):
    verb(raising(ZeroDivisionError("seven")))
    assert command.main(["work"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert (
        "Traceback" in err
        and "ZeroDivisionError: seven" in err
        and "bug in Unitscope" in err.splitlines()[-1]
    )


def test_a_broken_pipe_of_something_else_is_not_hidden(verb):
    verb(raising(BrokenPipeError()))
    assert command.main(["work"]) == 1


def test_ctrl_c_says_how_to_go_on(verb, capsys):
    verb(
        raising(KeyboardInterrupt),
        argument("DATA", help="data"),
        resume="Finished shards are kept; this goes on:",
    )
    assert command.main(["work", "my data"]) == 130
    assert "Finished shards are kept; this goes on:\n  unitscope work 'my data'\n" in capsys.readouterr().err


def test_ctrl_c_of_a_short_verb(verb, capsys):
    verb(raising(KeyboardInterrupt))
    assert command.main(["work"]) == 130
    assert capsys.readouterr().err.strip() == "unitscope: stopped"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sweeep"], "invalid choice: 'sweeep' (choose from layers, sweep,"),
        (["top", "store", "conv1"], "the following arguments are required: UNIT"),
        (["top", "store", "conv1", "x"], "'x' is not a whole number"),
        (["top", "store", "conv1", "1", "--jsn"], "unrecognized arguments: --jsn"),
        (["top", "store", "conv1", "1", "--js"], "unrecognized arguments: --js"),
        (["sweep", "data", "store"], "the following arguments are required: --model"),
        (["sweep", "data", "store", "--model", "m", "--maxima-dtype", "float8"], "float32"),
        (["atlas", "store", "--method", "mds"], "umap"),
        (["serve", "store", "--port", "65536"], "from 0 to 65535"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_allowed(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(words)
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert out == ""
    assert said.replace("'", "") in err.replace("'", "")


def test_the_callers_signals_are_given_back(verb):
    before = signal.getsignal(signal.SIGTERM)
    inside = []
    verb(lambda _: inside.append(signal.getsignal(signal.SIGTERM)) or 0)
    assert command.main(["work"]) == 0
    assert inside[0] is not before and signal.getsignal(signal.SIGTERM) is before


def test_no_words_at_all_show_the_help(capsys):
    assert command.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "commands:" in err


def test_every_verb_explains_every_argument():
    for verb in command.COMMANDS:
        assert verb.summary and verb.description
        for one in verb.arguments:
            assert one.help, (verb.name, one.names)


def test_defaults_are_those_of_the_sweep():
    from unitscope.cli.commands.sweep_arguments import SETTINGS
    from unitscope.jobs.planning.config import SweepConfig

    parsed = command.parser().parse_args(["sweep", "data", "store", "--model", "m"])
    settings = {name: getattr(parsed, name) for name in SETTINGS}
    assert SweepConfig(**settings) == SweepConfig(["data"], "store", "m")


def test_every_setting_of_a_sweep_has_its_argument():
    from dataclasses import fields

    from unitscope.cli.commands.sweep_arguments import SETTINGS
    from unitscope.jobs.planning.config import SweepConfig

    # Nobody needs to choose the first two; tests do. DATA makes the third.
    assert {one.name for one in fields(SweepConfig)} - set(SETTINGS) == {
        "shard_size",
        "view_samples",
        "select",
    }


def test_a_reader_who_leaves_is_no_failure(tmp_path):
    code = (
        "from unitscope.cli import main as command\n"
        "from unitscope.cli.command import Command\n"
        "from unitscope.cli.output import print_lines\n"
        "run = lambda arguments: [print_lines('x' * 1000) for _ in range(10_000)] and 0\n"
        "command.COMMANDS = (Command('work', '', '', (), run),)\n"
        "raise SystemExit(command.main(['work']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0


def test_output_into_a_full_disk_is_no_success(verb, monkeypatch, capsys):
    class Full:
        encoding = "utf-8"

        def write(self, text):
            raise OSError(28, "No space left on device")

        def flush(self):
            pass

        def isatty(self):
            return False

    verb(lambda _: print_lines("x") or 0)
    monkeypatch.setattr(sys, "stdout", Full())
    assert command.main(["work"]) == 1
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_let_everything_go(number, code):
    process = subprocess.Popen(
        [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-P",
            "-c",
            LONG,
        ],  # which a shell's background job ignores
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "running\n"
    time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == "let go\n"
    assert "Traceback" not in err


def test_the_version_is_the_projects():
    shown = subprocess.run([*RUN, "--version"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(("unitscope 0.", "unitscope 1."))
