"""Starts a Ray cluster on this machine, or joins a given one, and looks after its nodes."""

import logging
import os
import socket
import sys
import threading
import time
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError

from ...common.errors import UsageError
from ..cores import cores
from .job import RayJob

_TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"
"""Tells at every start that Ray's token authentication is on, which is as it should be."""
PROBE = 3.0
"""Seconds between two looks at the nodes of the cluster."""
PROBE_SECONDS = 25.0
"""How long the cluster's head may leave such a look unanswered."""
REACH_SECONDS = 5.0
OBJECT_STORE_BYTES = 128 * 2**20
"""Ray's shared memory on each node that is started here: only small records pass through it."""


class LostError(Exception):
    """The cluster does not answer, or this node of it has died."""


class NoTokenError(Exception):
    """The cluster uses no token, and this process has one: what it starts there would end at once."""


class Cluster:
    """Looks at the nodes of the cluster now and then, in a thread, since the question may never be answered."""

    def __init__(self) -> None:
        self._own = ray.get_runtime_context().get_node_id()
        self._nodes: list[dict[str, Any]] = ray.nodes()
        self._answered = time.monotonic()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(PROBE)
            try:
                self._nodes = ray.nodes()
                self._answered = time.monotonic()
            except Exception:  # noqa: BLE001 - whatever it is, `check` notices that no answer comes
                continue

    def check(self) -> None:
        """Raise LostError where nobody answers, or this process's node is dead."""
        silent = time.monotonic() - self._answered
        if silent > PROBE_SECONDS:
            raise LostError(f"its head does not answer ({silent:.0f} s)")
        if not any(node["NodeID"] == self._own and node["Alive"] for node in self._nodes):
            raise LostError("the node that the command is connected to has died")

    def total(self, resource: str) -> int:
        """Return how much of a resource the living nodes have."""
        return int(sum(node["Resources"].get(resource, 0) for node in self._nodes if node["Alive"]))


def start(job: RayJob, folder: str | None) -> None:
    """Connect to the cluster, or start one here.

    Raises UsageError where the cluster refuses this process, LostError where there is none, NoTokenError.
    """
    logging.getLogger(_TOKEN_LOGGER).setLevel(logging.ERROR)
    options: dict[str, Any] = {"logging_level": "warning", "log_to_driver": True}
    if job.address is None:
        options |= {
            "address": "local",
            "num_cpus": max(job.workers or 0, cores()),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": folder,
        }
    else:
        _reach(job.address)
        options["address"] = job.address
    try:
        ray.init(**options)
    except Exception as error:
        raise _start_error(job, error) from error
    if job.address is not None and os.environ.get("RAY_AUTH_MODE") == "token":
        _check_token()


def _check_token() -> None:
    """Raise NoTokenError where the cluster has no token: it takes ours, but cannot ask this process for anything."""
    probe: Any = ray.remote(_Probe).options(num_cpus=0)
    actor = probe.remote()
    try:
        ray.get(actor.answer.remote(), timeout=PROBE_SECONDS)
    except ActorDiedError as error:
        raise NoTokenError from error
    except RayError:
        return  # something else, which will show itself


class _Probe:
    """An actor that shows that actors live."""

    def answer(self) -> None:
        """Return."""


def _reach(address: str) -> None:
    """Raise LostError where nobody listens at HOST:PORT."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`, or what Ray itself understands
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except OSError as error:
        raise LostError(f"nobody answers there ({error.strerror or error})") from error


def _start_error(job: RayJob, error: Exception) -> Exception:
    text = str(error)
    if "Version mismatch" in text:
        told = " ".join(line.strip() for line in text.splitlines() if "Ray:" in line or "Python:" in line)
        python = ".".join(map(str, sys.version_info[:3]))
        return UsageError(
            f"--ray-address {job.address}: that cluster runs another version ({told or first_line(error)}; here Ray "
            f"{ray.__version__}, Python {python}): install the same Ray and Python on both"
        )
    return LostError(first_line(error).split(". Please")[0].rstrip("."))


def check_resources(job: RayJob) -> None:
    """Raise UsageError where no node has what every worker needs."""
    if job.gpu and job.address and not ray.cluster_resources().get("GPU"):
        raise UsageError(
            f"--device cuda: no node of the Ray cluster at {job.address} has a GPU: use --device cpu, or add a node "
            "that has one (`ray status` lists them)"
        )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
