"""A second model worker, without a network, that stands by: a new one needs seconds to import torch."""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

from .process import WorkerDiedError, WorkerProcess


class Spare:
    """At most one worker, started in a thread of its own. Any threads may share it."""

    def __init__(self, start: Callable[[], WorkerProcess]) -> None:
        """start: raises WorkerDiedError or OSError; the next one that is needed says why."""
        self._start = start
        self._lock = Lock()
        self._held: WorkerProcess | None = None
        self._making: Thread | None = None
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether it stands by."""
        held = self._held
        return held is not None and held.alive

    @property
    def has_died(self) -> bool:
        """Whether it stood by, and does no more."""
        held = self._held
        return held is not None and not held.alive

    def make(self) -> None:
        """Starts one, unless there is one or it is being started."""
        with self._lock:
            making = self._making is not None and self._making.is_alive()
            if self._closed or making or self.alive:
                return
            self._held = None
            self._making = Thread(target=self._make, name="spare model", daemon=True)
            self._making.start()

    def take(self) -> WorkerProcess | None:
        """The worker, waited for where it is being started; None where there is none."""
        making = self._making
        if making is not None:
            making.join()
        with self._lock:
            held, self._held = self._held, None
        return held if held is not None and held.alive else None

    def close(self) -> None:
        """Ends it, and one that is being started when it is ready."""
        with self._lock:
            self._closed, held = True, self._held
        if held is not None:
            held.close()

    def _make(self) -> None:
        with suppress(WorkerDiedError, OSError):
            made = self._start()
            with self._lock:
                self._held = made
                closed = self._closed
            if closed:
                made.close()
