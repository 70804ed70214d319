"""Workers and drivers are killed at random moments; the finished store must not show it, in any byte.

`UNITSCOPE_KILL_RUNS` says how many runs of each kind (1 in the ordinary tests).
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RUNS = int(os.environ.get("UNITSCOPE_KILL_RUNS", "1"))
SHARDS_AT_MOST_REDONE = 1


def hashes(store: Path) -> dict[str, str]:
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.name not in {"log.jsonl", ".lock"}
    }


def command(material, store: Path, workers: int) -> list[str]:
    return [
        sys.executable, "-P", "-m", "unitscope.cli.main", "sweep", str(material.data), str(store),
        "--model", material.model, "--workers", str(workers), "--batch-size", "16", "--k", "10",
    ]  # fmt: skip


def start(material, store: Path, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(material, store, workers), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def sweepers(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """The sweep worker processes of this driver's Ray."""
    try:
        return [
            one
            for one in psutil.Process(driver.pid).children(recursive=True)
            if "SweepWorker" in " ".join(one.cmdline())
        ]
    except psutil.Error:
        return []


def log(store: Path, event: str) -> list[dict]:
    lines = (store / "log.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]


@pytest.fixture(scope="module")
def big(tmp_path_factory, make):
    return make(tmp_path_factory.mktemp("big"), 1200)


@pytest.fixture(scope="module")
def undisturbed(big, tmp_path_factory) -> dict[str, str]:
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    done = subprocess.run(command(big, store, 0), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return hashes(store)


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_killed_workers_leave_no_trace(big, undisturbed, tmp_path, workers, run) -> None:
    dice = random.Random(100 * workers + run)
    store = tmp_path / "store"
    driver = start(big, store, workers)
    kills, wanted = 0, dice.randint(1, 4)
    deadline = time.monotonic() + 600
    while driver.poll() is None and time.monotonic() < deadline:
        time.sleep(dice.uniform(0.2, 2.0))
        alive = sweepers(driver)
        if alive and kills < wanted:
            dice.choice(alive).send_signal(signal.SIGKILL)
            kills += 1
    output = driver.communicate()[0]
    assert driver.returncode == 0, output
    assert kills > 0, "no worker was seen to kill"
    assert hashes(store) == undisturbed


@pytest.mark.parametrize("run", range(RUNS))
def test_a_killed_driver_is_resumed(big, undisturbed, tmp_path, run) -> None:
    dice = random.Random(run)
    store = tmp_path / "store"
    driver = start(big, store, 2)
    shards = store / ".work" / "shards"
    wanted = dice.randint(0, 12)
    deadline = time.monotonic() + 300
    while driver.poll() is None and time.monotonic() < deadline:
        if len(list(shards.glob("shard-*.arrow"))) >= wanted:
            break
        time.sleep(0.02)
    time.sleep(dice.uniform(0, 0.5))
    driver.kill()
    driver.wait()
    committed = len(list(shards.glob("shard-*.arrow"))) if shards.exists() else 0
    again = subprocess.run(command(big, store, 2), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert hashes(store) == undisturbed
    resumed = log(store, "sweeping")[-1]
    assert resumed["of"] - resumed["shards"] >= committed - SHARDS_AT_MOST_REDONE * 2
