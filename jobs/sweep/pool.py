"""Something that runs tasks of a step and gives back what they return, as they end, in any order."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

from ...common.progress import Note, silent
from ...model.sources.load import LoadedModel
from ..cores import cores
from ..planning.config import SweepConfig
from .worker import Worker


class Pool(Protocol):
    """Workers, here or on a cluster."""

    def prepare(self, note: Note = silent) -> None:
        """Load the network in the workers, and wait until they have it. note: shows what is waited for."""
        ...

    def map(self, step: str, tasks: Sequence[Any], note: Note = silent) -> Iterator[Any]:
        """Run every task once (again where a worker died) and yield the results as they come.

        A task's UnitscopeError is raised here, and the tasks not yet begun are dropped.
        """
        ...


class LocalPool:
    """Runs everything in this process, `lanes` tasks at a time."""

    def __init__(self, config: SweepConfig, model: LoadedModel, *, lanes: int | None = None) -> None:
        self._threads = (lanes or cores()) + 1
        self._worker = Worker(config, model, lanes=self._threads - 1)

    def __enter__(self) -> "LocalPool":
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="lane")
        self._worker.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: object
    ) -> None:
        stopped = kind is not None and not issubclass(
            kind, Exception
        )  # by a signal: nothing waits for a long shard
        self._executor.shutdown(wait=not stopped, cancel_futures=True)
        if not stopped:
            self._worker.__exit__(kind, error, traceback)

    def prepare(self, note: Note = silent) -> None:
        """See Pool."""
        self._worker.run("ready", None)

    def map(self, step: str, tasks: Sequence[Any], note: Note = silent) -> Iterator[Any]:
        """See Pool."""
        waiting = iter(tasks)
        running: set[Future[Any]] = set()
        try:
            while True:
                for task in waiting:
                    running.add(self._executor.submit(self._worker.run, step, task))
                    if len(running) >= self._threads:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
