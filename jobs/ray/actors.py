"""Workers on Ray: each is an actor, one process with its own copy of the network. Hands out tasks to them.

Scheduling, placement and restarts are Ray's. Only task numbers and small records cross the object store, never pixels.
"""

import time
from collections import Counter, deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from ...common.errors import SweepError, UnitscopeError
from ..cores import cores
from .cluster import Cluster, first_line
from .job import RayJob

MAX_DEATHS = 20
"""How many workers one task may take down with it before it is the task that is at fault."""
PAUSE = 0.2
"""Seconds between two questions whether a worker is there again."""
TURN = 1.0
"""The longest wait before the driver tells that it is there, and looks around."""
WAIT_SECONDS = 300.0
"""How long to wait for a first worker."""
TOLD_SECONDS = 10.0
"""Seconds between two lines about a wait."""
JOIN_SECONDS = 15.0
"""How long workers of a given cluster may take after the first; later ones join while the others work."""


class SweepWorker:
    """The actor: what a job makes, in the actor's process."""

    def __init__(self, job: RayJob, lanes: int) -> None:
        self._run = job.make(lanes)

    def run(self, step: str, task: Any) -> Any:
        """Run one task, in the actor's thread for it."""
        return self._run(step, task)

    def answer(self) -> None:
        """Return, which shows that the actor is there."""


class Workers:
    """The actors, which of them are ready, and what they are at."""

    def __init__(self, job: RayJob, connection: Connection) -> None:
        self._job = job
        self._connection = connection
        self._cluster = Cluster()
        self._resource = "GPU" if job.gpu else "CPU"
        total = job.workers or max(1, self._cluster.total(self._resource))
        self._lanes = job.lanes or self._share(total)
        remote: Any = ray.remote(SweepWorker)
        self._actor = remote.options(
            max_restarts=-1,
            max_task_retries=0,  # a task goes to whichever worker is free, and its deaths are counted
            max_concurrency=self._lanes + job.spare + 1,  # one more for `answer`
            num_cpus=self._lanes if job.address else 0,
            num_gpus=1 if job.gpu else 0,
            runtime_env={"env_vars": {"OMP_NUM_THREADS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}},
        )
        self._actors: list[Any] = []
        self._ready: set[int] = set()
        self._pending: dict[Any, int] = {}  # calls whose answer shows that the worker is there
        self._later: list[tuple[float, int]] = []  # when to ask which worker again
        self._busy: Counter[int] = Counter()
        self._told = self._first = self._last_ready = time.monotonic()
        self._spoke = 0.0
        self._last_death = ""
        self._grow(total)

    def _share(self, workers: int) -> int:
        """Return the lanes of a worker: its share of the cores. On a cluster of CPUs a worker is one core."""
        if not self._job.address:
            return max(1, cores() // workers)
        return max(1, self._cluster.total("CPU") // workers) if self._job.gpu else 1

    def _grow(self, total: int) -> None:
        """Make workers until there are `total`; each is used as soon as it answers."""
        while len(self._actors) < total:
            number = len(self._actors)
            self._actors.append(self._actor.remote(self._job, self._lanes))
            self._pending[self._actors[number].answer.remote()] = number

    def prepare(self) -> None:
        """Get every worker ready that the cluster has room for: load the network and compare its arithmetic."""
        self._pending = {actor.run.remote("ready", None): n for n, actor in enumerate(self._actors)}
        while len(self._ready) < len(self._actors):
            self._turn({})
            late = time.monotonic() - self._last_ready > JOIN_SECONDS
            if self._ready and late and self._job.address:
                self.send(
                    "note",
                    f"{len(self._ready)} of {len(self._actors)} workers are ready; the others join when the cluster "
                    "has room for them",
                )
                return

    def map(self, step: str, tasks: Sequence[tuple[int, Any]]) -> None:
        """Run every task and send its result. A task whose worker died goes back into the queue.

        A worker that died gets its next task when it answers again: until then its calls would fail at once, and the
        task would be blamed for it.
        """
        waiting = deque(tasks)
        running: dict[Any, tuple[int, int, Any]] = {}
        deaths: Counter[int] = Counter()
        while waiting or running:
            while waiting and (number := self._free()) is not None:
                task, value = waiting.popleft()
                running[self._actors[number].run.remote(step, value)] = (number, task, value)
                self._busy[number] += 1
            for call in self._turn(running):
                number, task, value = running.pop(call)
                self._busy[number] -= 1
                try:
                    result = ray.get(call)
                except RayTaskError as error:
                    raise _own(error) from error
                except RayError as error:
                    deaths[task] += 1
                    if deaths[task] >= MAX_DEATHS:
                        raise SweepError(
                            f"{step} task {value} has ended {MAX_DEATHS} workers; the last: {first_line(error)}"
                        ) from error
                    waiting.appendleft((task, value))
                    self._died(number, error)
                else:
                    self.send("result", task, result)

    def _free(self) -> int | None:
        """Return the ready worker with the fewest tasks, or None where each has its hands full."""
        least = min(self._ready, key=lambda number: (self._busy[number], number), default=None)
        full = self._lanes + self._job.spare
        return least if least is not None and self._busy[least] < full else None

    def _turn(self, running: dict[Any, Any]) -> list[Any]:
        """Wait a moment for calls to end; see to the cluster and to workers that are not ready. Return ended tasks."""
        now = time.monotonic()
        for due, number in self._later[:]:
            if now >= due:
                self._later.remove((due, number))
                self._pending[self._actors[number].answer.remote()] = number
        calls = [*running, *self._pending]
        wait = PAUSE if self._later else TURN
        done: list[Any] = []
        if calls:
            done = ray.wait(calls, num_returns=1, timeout=wait)[0]
        else:
            time.sleep(wait)
        if now - self._spoke >= TURN:
            self._spoke = now
            self.send("alive")
            self._cluster.check()
            if self._job.workers is None and self._job.address:
                self._grow(self._cluster.total(self._resource))
        for call in done:
            if call in self._pending:
                self._welcome(call)
        self._tell_wait()
        return [call for call in done if call in running]

    def _welcome(self, call: Any) -> None:
        """Count a worker as ready that answered; ask it again later where it did not."""
        number = self._pending.pop(call)
        try:
            ray.get(call)
        except RayTaskError as error:
            raise _own(error) from error
        except RayError as error:
            self._died(number, error)
        else:
            self._ready.add(number)
            self._last_ready = time.monotonic()

    def _died(self, number: int, error: RayError) -> None:
        self._last_death = first_line(error)
        self._ready.discard(number)
        if number not in self._pending.values() and all(number != other for _, other in self._later):
            self._later.append((time.monotonic() + PAUSE, number))

    def _tell_wait(self) -> None:
        """Tell what is waited for while no worker is ready. Raise SweepError when that has taken too long."""
        now = time.monotonic()
        if self._ready:
            self._first = self._told = now
            return
        waited = now - self._first
        if self._job.address:
            need = f"{self._lanes} CPU" + (" and 1 GPU" if self._job.gpu else "")
            what = f"a node of the Ray cluster at {self._job.address} with {need} free"
        else:
            what = "a worker to start"
        if waited > WAIT_SECONDS:
            last = f"; the last worker ended: {self._last_death}" if self._last_death else ""
            raise SweepError(
                f"waited {waited:.0f} s for {what}: see `ray status` for who uses the cluster{last}"
            )
        if now - self._told >= TOLD_SECONDS:
            self._told = now
            self.send("note", f"waiting for {what} ({waited:.0f} s of {WAIT_SECONDS:.0f} s)")

    def send(self, *message: Any) -> None:
        """Send the command a message."""
        self._connection.send(message)

    def close(self) -> None:
        """End the workers."""
        for actor in self._actors:
            ray.kill(actor)


def _own(error: RayTaskError) -> Exception:
    """Return the exception that the task raised, where it is one of ours."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, UnitscopeError) else error
