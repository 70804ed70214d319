"""A given cluster of three nodes, one of which is killed: the sweep ends as it would have, whatever token is found.

`UNITSCOPE_RAY_DEATHS=all` kills it at each step; otherwise at one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ALL = os.environ.get("UNITSCOPE_RAY_DEATHS") == "all"
STEPS = {"start": "starting workers", "sweep": "sweeping:", "merge": "merging:", "pictures": "pictures:"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

memory = {"object_store_memory": 128 << 20}
cluster = Cluster(head_node_args={"num_cpus": 1, "include_dashboard": False, **memory}, initialize_head=True)
nodes = [cluster.add_node(num_cpus=1, **memory) for _ in range(2)]
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(nodes.pop(), allow_graceful=False)
    print("killed", flush=True)
cluster.shutdown()
"""


def hashes(store: Path) -> dict[str, str]:
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.rglob("*")
        if path.is_file() and path.name not in {"log.jsonl", ".lock"}
    }


@pytest.fixture
def cluster():
    """A running cluster without a token: its process, and its address."""
    folder = tempfile.mkdtemp(prefix="n", dir="/tmp")
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        | {"RAY_TMPDIR": folder},
    )
    yield process, process.stdout.readline().strip()
    process.stdin.close()
    try:
        process.wait(60)
    finally:
        process.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("step", list(STEPS) if ALL else ["sweep"])
def test_a_node_that_dies_costs_no_byte(cluster, make, tmp_path, step) -> None:
    process, address = cluster
    material = make(tmp_path / "data", 600)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a" * 64)  # as `ray start` leaves one behind
    common = [sys.executable, "-P", "-m", "unitscope.cli.main", "sweep", material.data]
    options = ["--model", material.model, "--batch-size", "16", "--k", "10"]
    alone = [*common, str(tmp_path / "alone"), *options, "--workers", "0"]
    subprocess.run(alone, check=True, capture_output=True)
    said = tmp_path / "said"
    with said.open("wb") as stream:
        command = subprocess.Popen(
            [*common, str(tmp_path / "store"), *options, "--workers", "3", "--ray-address", address],
            stderr=stream,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(tmp_path)},
        )
        try:
            end = time.monotonic() + 90
            while STEPS[step] not in said.read_text():
                assert command.poll() is None and time.monotonic() < end, said.read_text()
                time.sleep(0.02)
            process.stdin.write("kill\n")
            process.stdin.flush()
            assert process.stdout.readline() == "killed\n"
            assert command.wait(180) == 0, said.read_text()
        finally:
            command.kill()
    assert hashes(tmp_path / "store") == hashes(tmp_path / "alone")
