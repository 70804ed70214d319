"""Ray's driver as a process of its own: started, listened to, watched and ended by the command.

Ray ends or blocks its driver when one of its processes dies, and takes over its signals. Here that costs a process
which can be started again. The driver leads a session that holds a local cluster too, so ending the session ends all.
"""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import IO, Any

from ...common.errors import UsageError
from ...common.processes import end_session, in_session, led, process_of
from .job import RayJob
from .session import session_folder

POLL = 0.5
SILENCE = 45.0
"""Seconds without a word from the driver after which it is taken for hung; it sends one each second."""
START_SECONDS = 120.0
"""The longest that a cluster on this machine may take to start."""
CONNECT_SECONDS = 10.0
"""The longest that a running cluster may take to answer, once Ray is imported."""
END_SECONDS = 5.0
"""How long a driver may take to leave a running cluster in order."""
HEADS = ("raylet", "gcs_server")
"""The processes without which a cluster on this machine does nothing, by their names."""
KEPT_LINES = 20
WORKER_LINE = "(SweepWorker pid="
_REFUSED = "InvalidAuthToken"
"""What Ray prints, each second, while a cluster refuses its token."""


class DriverLostError(Exception):
    """The driver, or a process of Ray that it needs, has ended or does not answer."""


class RayDriver:
    """One driver process. Messages are tuples: a kind, and what belongs to it."""

    def __init__(self, job: RayJob, *, token: bool = True) -> None:
        """token: whether a token that is found is used for a given cluster."""
        self._job, self._token = job, token
        self._local = job.address is None
        self._stack = ExitStack()
        folder = self._stack.enter_context(session_folder()) if self._local else None
        try:
            self._start(job, folder)
        except BaseException:
            self._stack.close()
            raise

    def _start(self, job: RayJob, folder: Path | None) -> None:
        self._here, there = Pipe()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._heads: dict[str, int] = {}
        self._heard = self._looked = time.monotonic()
        self._started = False
        self._silence = START_SECONDS if self._local else CONNECT_SECONDS
        safe = ["-P"] if sys.flags.safe_path else []
        self._process = subprocess.Popen(
            [sys.executable, *safe, "-m", "unitscope.jobs.ray.main", str(there.fileno())],
            stdin=subprocess.PIPE,  # closes when this process ends, however it ends: then the driver ends too
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[there.fileno()],
            start_new_session=True,
            env=os.environ | _environment(job, token=self._token),
        )
        led[self._process.pid] = folder
        self._stack.callback(self._end)
        there.close()
        assert self._process.stdout is not None
        threading.Thread(target=self._forward, args=(self._process.stdout,), daemon=True).start()
        self.send(job, str(folder) if folder else None)

    def send(self, *message: Any) -> None:
        """Send a message. Raises DriverLostError where nobody is there."""
        try:
            self._here.send(message)
        except OSError as error:
            raise DriverLostError(self._how_it_ended()) from error

    def receive(self, *, wait: float = POLL) -> tuple[Any, ...] | None:
        """Return the next message, or None where there is none within `wait` seconds. Raises DriverLostError."""
        try:
            if self._here.poll(wait):
                self._heard = time.monotonic()
                message = self._here.recv()
                if message[0] == "started":
                    self._started, self._silence = True, SILENCE
                return message
        except (EOFError, OSError) as error:
            raise DriverLostError(self._how_it_ended()) from error
        self._look()
        return None

    def drain(self) -> list[tuple[Any, ...]]:
        """Return what a lost driver had sent before."""
        found: list[tuple[Any, ...]] = []
        with suppress(EOFError, OSError):
            while self._here.poll(0):
                found.append(self._here.recv())
        return found

    def close(self) -> None:
        """End the driver and what it started, and remove its temporary folder."""
        self._stack.close()

    def _look(self) -> None:
        """Raise DriverLostError where a process that is needed has gone, or the driver has been silent for too long."""
        if self._local:
            self._look_at_heads()
        elif not self._started and any(_REFUSED in line for line in list(self._lines)):
            raise UsageError(
                f"--ray-address {self._job.address}: the cluster refuses this token: put the cluster's own into the "
                "variable RAY_AUTH_TOKEN, or name its file in RAY_AUTH_TOKEN_PATH"
            )
        silent = time.monotonic() - self._heard
        if silent > self._silence:
            what = "did not start" if self._local and not self._started else "does not answer"
            raise DriverLostError(f"Ray {what} ({silent:.0f} s)")

    def _look_at_heads(self) -> None:
        for name, pid in self._heads.items():
            process = process_of(pid) if sys.platform == "linux" else None
            if sys.platform == "linux" and (process is None or process.session != self._process.pid):
                raise DriverLostError(f"Ray's {name} ended")
        if len(self._heads) < len(HEADS):
            for one in in_session(self._process.pid):
                if one.name in HEADS:
                    self._heads.setdefault(one.name, one.pid)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "Ray's driver closed its connection"
        last = next((line for line in reversed(self._lines) if line and not line.startswith(" ")), "")
        return f"Ray's driver ended with code {code}" + (f": {last}" if last else "")

    def _end(self) -> None:
        if not self._local:
            with suppress(DriverLostError):
                self.send("end")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
        end_session(self._process.pid)
        self._process.kill()
        self._process.wait()
        led.pop(self._process.pid, None)
        self._here.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _forward(self, stream: IO[bytes]) -> None:
        """Show what workers print; keep the last of what Ray prints for an error message."""
        with stream, suppress(OSError, ValueError):
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                if line.startswith(WORKER_LINE):
                    sys.stderr.write(line + "\n")
                else:
                    self._lines.append(line)


def _environment(job: RayJob, *, token: bool) -> dict[str, str]:
    """Return the driver's further variables.

    `ray start` uses a token wherever it finds one. Joining a cluster does so only in the mode "token".
    """
    variables = {"RAY_COLOR_PREFIX": "0", "PYTHONUNBUFFERED": "1"}
    named = "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ
    named = named or (Path.home() / ".ray" / "auth_token").exists()
    if job.address is not None and named and token and "RAY_AUTH_MODE" not in os.environ:
        variables["RAY_AUTH_MODE"] = "token"
    return variables
