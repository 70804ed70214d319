"""Workers on Ray: actors for the sweep, tasks for work without a network. The only file that imports Ray.

One actor is one worker process with its own copy of the network. Scheduling, placement and restarts are Ray's; which
shards are left is the driver's. Only task numbers and small records cross the object store, never pixels.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError, WorkerCrashedError

from ..common.errors import SweepError, UnitscopeError
from .config import SweepConfig
from .cores import cores

T = TypeVar("T")
R = TypeVar("R")

_TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"
"""Tells at every start that Ray's token authentication is on, which is as it should be."""
MAX_DEATHS = 20
"""How many workers one task may take down with it before it is the task that is at fault."""
PAUSE = 0.2
"""Seconds between two questions whether a worker is there again."""
DEATHS = (RayActorError, WorkerCrashedError, OutOfMemoryError)
"""What Ray raises for a task whose worker ended."""


class SweepWorker:
    """The actor: a Worker that is made in the actor's process."""

    def __init__(self, config: SweepConfig, lanes: int) -> None:
        from .worker import Worker  # brings torch, which other work on Ray does without

        self._worker = Worker(config, lanes=lanes)

    def run(self, step: str, task: Any) -> Any:
        """One task, in the actor's thread for it."""
        return self._worker.run(step, task)

    def answer(self) -> None:
        """Tells that the actor is there."""


class RayPool:
    """`workers` actors on a Ray cluster, or on a local one that ends with this process."""

    def __init__(self, config: SweepConfig, *, workers: int | None = None) -> None:
        self._config = config
        self._workers = workers

    def __enter__(self) -> "RayPool":
        _start(self._config.ray_address, self._workers)
        gpu = self._config.device.startswith("cuda")
        total = self._workers or max(1, int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1)))
        lanes = self._lanes(total, gpu=gpu)
        actor: Any = ray.remote(SweepWorker).options(
            max_restarts=-1,
            max_task_retries=0,  # the driver gives a task to whichever worker is free, and counts its deaths
            max_concurrency=lanes + 1,
            num_cpus=lanes if self._config.ray_address else 0,
            num_gpus=1 if gpu else 0,
            runtime_env={"env_vars": {"OMP_NUM_THREADS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}},
        )
        self._lane_count = lanes
        self._actors: list[Any] = [actor.remote(self._config, lanes) for _ in range(total)]
        return self

    def _lanes(self, workers: int, *, gpu: bool) -> int:
        """The lanes of a worker: its share of the cores. On a cluster of CPUs a worker is one core."""
        if not self._config.ray_address:
            return max(1, cores() // workers)
        return max(1, int(ray.cluster_resources().get("CPU", 1)) // workers) if gpu else 1

    def __exit__(self, *error: object) -> None:
        for actor in self._actors:
            ray.kill(actor)
        if self._config.ray_address is None:
            ray.shutdown()

    def prepare(self) -> None:
        """See Pool. A worker that dies meanwhile loads the network with its first shard."""
        for call in [actor.run.remote("ready", None) for actor in self._actors]:
            try:
                ray.get(call)
            except DEATHS:
                continue
            except RayTaskError as error:
                raise _own(error) from error

    def map(self, step: str, tasks: Sequence[Any]) -> Iterator[Any]:
        """See Pool. A task whose worker died goes back into the queue; SweepError after MAX_DEATHS of them.

        A worker that died gets its next task when it answers again: until then its calls would fail at once, and the
        task would be blamed for it.
        """
        waiting = deque(tasks)
        free = deque(number for _ in range(self._lane_count + 1) for number in range(len(self._actors)))
        running: dict[Any, tuple[int, Any]] = {}
        restarting: dict[Any, int] = {}
        lost: Counter[int] = Counter()
        deaths: Counter[Any] = Counter()
        while waiting or running:
            while waiting and free:
                number, task = free.popleft(), waiting.popleft()
                running[self._actors[number].run.remote(step, task)] = (number, task)
            done = ray.wait([*running, *restarting], num_returns=1)[0][0]
            if done in restarting:
                number = restarting.pop(done)
                if _answered(done):
                    free.extend([number] * lost.pop(number))
                else:
                    time.sleep(PAUSE)
                    restarting[self._actors[number].answer.remote()] = number
                continue
            number, task = running.pop(done)
            try:
                result = ray.get(done)
            except DEATHS as error:
                deaths[task] += 1
                if deaths[task] >= MAX_DEATHS:
                    raise SweepError(
                        f"{step} task {task} has ended {MAX_DEATHS} workers; the last: {error}"
                    ) from error
                waiting.appendleft(task)
                lost[number] += 1
                if number not in restarting.values():
                    restarting[self._actors[number].answer.remote()] = number
            except RayTaskError as error:
                raise _own(error) from error
            else:
                free.append(number)
                yield result


def _answered(call: Any) -> bool:
    try:
        ray.get(call)
    except DEATHS:
        return False
    return True


def _own(error: RayTaskError) -> Exception:
    """The exception that the task raised, where it is one of ours."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, UnitscopeError) else error


def run_tasks(
    call: Callable[[T], R], tasks: Sequence[T], *, workers: int, address: str | None = None
) -> Iterator[R]:
    """What `call` gives for each task, as they end, in any order; at most `workers` at a time, each on a core.

    A task whose worker died is run again, up to MAX_DEATHS times. address: of a cluster; by default a local one, which
    ends with this.
    """

    def run(task: T) -> R:
        return call(task)

    _start(address, workers)
    remote: Any = ray.remote(run).options(num_cpus=1, max_retries=MAX_DEATHS)
    waiting = iter(tasks)
    running = [remote.remote(task) for task in islice(waiting, workers)]
    try:
        while running:
            (done, *_), running = ray.wait(running, num_returns=1)
            running += [remote.remote(task) for task in islice(waiting, 1)]
            try:
                yield ray.get(done)
            except RayTaskError as error:
                raise _own(error) from error
            except DEATHS as error:
                raise SweepError(f"a task has ended {MAX_DEATHS} workers; the last: {error}") from error
    finally:
        for call_left in running:
            ray.cancel(call_left, force=True)
        if address is None:
            ray.shutdown()


def _start(address: str | None, workers: int | None) -> None:
    """Connects to the cluster, or starts a local one."""
    logging.getLogger(_TOKEN_LOGGER).setLevel(logging.ERROR)
    if ray.is_initialized():
        return
    options: dict[str, Any] = {"logging_level": "warning", "log_to_driver": True}
    if address is not None:
        ray.init(**options, address=address)
    else:
        ray.init(**options, num_cpus=max(workers or 0, cores()), include_dashboard=False, address="local")
