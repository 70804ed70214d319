"""Ray's own processes are killed at each step, and the command is stopped by signals: nothing hangs, nothing stays.

`UNITSCOPE_RAY_DEATHS=all` runs every combination; otherwise a few are.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

ALL = os.environ.get("UNITSCOPE_RAY_DEATHS") == "all"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STEPS = {"start": "starting workers", "sweep": "sweeping:", "merge": "merging:", "pictures": "pictures:"}
VICTIMS = {
    "raylet": ("raylet",),
    "gcs": ("gcs_server",),
    "agent": ("DashboardAgent", "RuntimeEnvAgent"),
    "head": ("raylet", "gcs_server", "Agent", "log_monitor", "monitor.py", "dashboard.py"),
}
KILLS = [(victim, step) for victim in VICTIMS for step in STEPS]
FEW_KILLS = [("raylet", "sweep")]
SIGNALS = [(number, step) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for step in STEPS]
FEW_SIGNALS = [(signal.SIGTERM, "sweep")]
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
END_SECONDS = 30
HANG_SECONDS = 240


def hashes(store: Path) -> dict[str, str]:
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.name not in {"log.jsonl", ".lock"}
    }


class Command:
    """A sweep of its own session, with what it says in a file; `mark` names all its processes."""

    def __init__(self, material, store: Path, *more: str, workers: int | None = 2) -> None:
        self.store, self.said_in = store, store.with_suffix(".err")
        self.tmp = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
        number = [] if workers is None else ["--workers", str(workers)]
        words = (
            f"env --default-signal=INT {sys.executable} -P -m unitscope.cli.main sweep {material.data} {store} "
            f"--model {material.model} --batch-size 16 --k 10"
        )
        self.stream = self.said_in.open("wb")
        self.process = subprocess.Popen(
            [*words.split(), *number, *more],
            stdout=subprocess.DEVNULL,
            stderr=self.stream,
            start_new_session=True,
            env=os.environ | {"RAY_TMPDIR": str(self.tmp)},
        )

    def said(self) -> str:
        return self.said_in.read_text(errors="replace")

    def until(self, word: str, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while word not in self.said():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.01)

    def own(self) -> list[psutil.Process]:
        """The processes that the command started, also those whose parent has died: all run in this folder's name."""
        found = []
        for one in psutil.process_iter():
            with suppress(psutil.Error):
                mine = one.environ().get("RAY_TMPDIR") == str(self.tmp) or str(self.tmp) in " ".join(
                    one.cmdline()
                )
                if mine and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
        return found

    def find(self, words: tuple[str, ...], seconds: float = 60) -> list[psutil.Process]:
        """The processes of Ray whose command line has one of the words, as soon as there are any."""
        deadline, found = time.monotonic() + seconds, []
        while not found and time.monotonic() < deadline and self.process.poll() is None:
            for one in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    line = " ".join(one.cmdline())
                    if "unitscope.jobs" not in line and any(word in line for word in words):
                        found.append(one)
        return found

    def end(self, seconds: float) -> int:
        """Its exit code; nothing of it is left behind."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"hangs: {self.said()[-2000:]}")
        finally:
            self.process.kill()
            self.process.wait()
            self.stream.close()
        deadline = time.monotonic() + 5
        while (left := self.own()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == [], self.said()
        assert list(self.tmp.iterdir()) == [], "the temporary folder has grown"
        shutil.rmtree(self.tmp)
        return code


@pytest.fixture(scope="module")
def many(tmp_path_factory, make):
    return make(tmp_path_factory.mktemp("many"), 4000 if ALL else 600)


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory) -> dict[str, str]:
    command = Command(many, tmp_path_factory.mktemp("undisturbed") / "store", workers=0)
    assert command.end(HANG_SECONDS) == 0, command.said()
    return hashes(command.store)


@pytest.mark.parametrize(("victim", "step"), KILLS if ALL else FEW_KILLS)
def test_a_dead_process_of_ray_is_started_again(many, undisturbed, tmp_path, victim, step) -> None:
    command = Command(many, tmp_path / "store")
    victims = []
    if step != "start":
        command.until("starting workers: done")
        victims = command.find(VICTIMS[victim])
    command.until(STEPS[step])
    killed = 0
    for one in victims or command.find(VICTIMS[victim]):
        with suppress(psutil.Error):
            one.kill()
            killed += 1
    begun = time.monotonic()
    code = command.end(HANG_SECONDS)
    print(f"{victim} at {step}: {killed} killed, code {code} after {time.monotonic() - begun:.0f} s")
    assert code == 0, command.said()
    assert killed or step in ("merge", "pictures"), command.said()
    assert "Traceback" not in command.said()
    assert hashes(command.store) == undisturbed


@pytest.mark.parametrize(("number", "step"), SIGNALS if ALL else FEW_SIGNALS)
def test_a_signal_ends_the_command_and_all_of_its_processes(
    many, undisturbed, tmp_path, number, step
) -> None:
    command = Command(many, tmp_path / "store")
    command.until(STEPS[step])
    begun = time.monotonic()
    command.process.send_signal(number)
    code = command.end(END_SECONDS)
    print(f"{number.name} at {step}: code {code} after {time.monotonic() - begun:.1f} s")
    if code == 0 and step in ("merge", "pictures"):
        pytest.skip("it was done before the signal came")
    assert code == CODES[number], command.said()
    assert command.said().count(": stopped.") == 1, command.said()
    assert "this goes on where it stopped:\n  unitscope sweep" in command.said()
    assert "Traceback" not in command.said() and "SIGABRT" not in command.said()
    again = Command(many, command.store, workers=0)
    assert again.end(HANG_SECONDS) == 0, again.said()
    assert hashes(command.store) == undisturbed


def test_two_signals_end_it_at_once(many, tmp_path) -> None:
    command = Command(many, tmp_path / "store")
    command.until("sweeping:")
    command.process.send_signal(signal.SIGINT)
    command.process.send_signal(signal.SIGINT)
    assert command.end(5) == 130
    assert command.said().count(": stopped.") == 1 and "Traceback" not in command.said()


def test_a_killed_command_takes_its_processes_along(many, tmp_path) -> None:
    command = Command(many, tmp_path / "store")
    command.until("sweeping:")
    command.process.kill()
    assert command.end(30) == -signal.SIGKILL
