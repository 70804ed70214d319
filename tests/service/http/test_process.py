"""The service's process: what it holds, how soon it answers, and that it stops when asked."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

COMMAND = [sys.executable, "-P", "-m", "unitscope.cli.main", "serve"]

EVERY_QUESTION = """
import json, sys
from fastapi.testclient import TestClient
from unitscope.service.app import create_app
with TestClient(create_app([sys.argv[1]])) as client:
    api = "/api/v1/stores/store"
    unit, image = api + "/layers/features.0/units/3", api + "/images/9"
    paths = ["/stores/store", "/stores/store/units/features.0/3", "/stores/store/neighbors?image=4"]
    paths += [api, unit + "/patches", unit + "/patches?where=loss>0.5", image + "/pixels"]
    paths += [image + "/crop?box=0,0,9,9", api + "/neighbors?image=4", api + "/atlases/flat/grid"]
    for path in [*paths, "/stores/store/atlas", "/openapi.json", "/readyz"]:
        response = client.get(path)
        assert response.status_code == 200, response.text
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
START = """
import sys, time
from unitscope.service.app import create_app
create_app([sys.argv[1]])
print(time.process_time())
"""
NEVER = {"torch", "torchvision", "ray", "timm", "umap", "openTSNE", "sklearn", "numba"}


def test_neither_torch_nor_ray_is_loaded_by_any_question(made):
    run = subprocess.run(
        [sys.executable, "-P", "-c", EVERY_QUESTION, made.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert set(json.loads(run.stdout)) & NEVER == set()


def test_the_service_needs_little_time_to_start(made):
    """Processor time, of which a busy machine gives no more: three seconds of waiting are promised on an idle one."""
    command = [sys.executable, "-P", "-c", START, made.url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert float(run.stdout) < 3


def test_answers_do_not_wait_for_acknowledgements(live):
    """Nagle's algorithm would hold each answer for the 40 ms of a delayed acknowledgement."""
    live.get("/livez")
    times = []
    for _ in range(20):
        start = time.perf_counter()
        live.get("/livez")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.03


def test_a_port_that_is_taken_is_said(made):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [*COMMAND, made.url, "--port", port], capture_output=True, text=True, timeout=60, check=False
        )
    assert run.returncode == 2
    assert port in run.stderr
    assert "--port" in run.stderr


def test_no_store_is_said(tmp_path):
    run = subprocess.run(
        [*COMMAND, str(tmp_path / "none")], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 1
    assert "no store at" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_asked(made, sign):
    process = subprocess.Popen(
        [*COMMAND, made.url, "--port", "0"], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    url = process.stderr.readline().strip()
    with httpx.Client(base_url=url) as client:
        assert client.get("/livez").status_code == 200
        process.send_signal(sign)
        assert process.wait(15) in (0, 130, 143, -sign)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
