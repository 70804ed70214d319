"""Stdout holds the answer alone: what user code prints, in whatever way, goes to stderr."""

import json
import subprocess
import sys

import pytest
from unitscope.cli import main as command
from unitscope.cli.command import Command
from unitscope.cli.output import print_json, print_lines

NETWORK = """
import atexit, ctypes, os, subprocess, sys, threading
from torch import nn

PREPROCESS = {"resize": 16, "crop": 16, "mean": [0.5] * 3, "std": [0.25] * 3}

def chatter(where):
    print(where, "print")
    sys.__stdout__.write(where + " original stream\\n")
    os.write(1, (where + " descriptor\\n").encode())
    libc = ctypes.CDLL(None)
    libc.puts((where + " puts").encode())
    libc.fflush(None)
    thread = threading.Thread(target=print, args=(where, "thread"))
    thread.start()
    thread.join()

chatter("import")
atexit.register(chatter, "exit")

class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        chatter("forward")
        return self.fc(self.body(x))

def loud():
    chatter("factory")
    subprocess.run(["echo", "factory process"], check=True)
    return Loud()
"""
PLACES = [
    f"{where} {how}"
    for where in ("import", "factory", "forward", "exit")
    for how in ("print", "original stream", "descriptor", "puts", "thread")
]


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "unitscope.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    path = tmp_path_factory.mktemp("loud") / "net.py"
    path.write_text(NETWORK)
    return f"{path}:loud@random"


def test_json_is_alone_however_a_network_prints(loud):
    done = run("layers", loud, "--json")
    assert done.returncode == 0, done.stderr
    assert [row["layer"] for row in json.loads(done.stdout)["layers"]][-1] == "fc"
    said = set(done.stderr.splitlines())
    assert said >= {*PLACES, "factory process"}


def test_the_feature_of_a_file_comes_over_a_channel_of_its_own(loud, tmp_path):
    from PIL import Image

    (tmp_path / "data").mkdir()
    for number in range(20):
        Image.new("RGB", (18, 17), (12 * number, 90, 200)).save(tmp_path / "data" / f"{number}.png")
    swept = run("sweep", tmp_path / "data", tmp_path / "store", "--model", loud, "--workers", 0, "--json")
    assert json.loads(swept.stdout)["images"] == 20, swept.stderr
    near = run("neighbors", tmp_path / "store", tmp_path / "data" / "7.png", "-k", 1, "--json")
    row = json.loads(near.stdout)["neighbors"][0]
    assert row["uri"] == "7.png" and row["distance"] == pytest.approx(0, abs=1e-5)
    assert "forward puts" in near.stderr


def test_a_verb_that_is_run_inside_a_program_puts_stdout_back(monkeypatch, capfd):
    def work(_):
        print("chatter")
        print_json([1, 2])
        return 0

    monkeypatch.setattr(command, "COMMANDS", (Command("work", "", "", (), work),))
    before = sys.stdout
    assert command.main(["work"]) == 0
    assert sys.stdout is before
    print_lines("after")
    out, err = capfd.readouterr()
    assert (json.loads(out.removesuffix("after\n")), err) == ([1, 2], "chatter\n")


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_closed_streams(closed, tmp_path):
    (tmp_path / "net.py").write_text(
        "import os\nfrom torch import nn\nos.write(1, b'x')\ndef net(): return nn.Conv2d(3, 4, 3)"
    )
    done = subprocess.run(
        [
            "sh",
            "-c",
            f'"$0" -P -m unitscope.cli.main layers "$1":net --json {closed}',
            sys.executable,
            tmp_path / "net.py",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "this is a bug" not in done.stderr
    if closed == "2>&-":
        assert "network" not in done.stdout and json.loads(done.stdout)["refused"] is not None
