"""Workers on Ray, as the command sees them: a pool whose driver process is started again when Ray dies.

Does not import Ray; `main.py` does, in the driver's process. Results are kept as they come, so a new driver gets
only the tasks that are left.
"""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ...common.errors import SweepError, UsageError
from ...common.progress import Note, silent
from .driver import DriverLostError, RayDriver
from .job import RayJob

RESTARTS = 3
"""How often in a row a cluster on this machine is started again without a task being finished in between."""
RECONNECT_SECONDS = 45.0
"""How long to try to reach a given cluster again that stopped to answer."""
RECONNECT_PAUSE = 3.0


class NoTokenError(Exception):
    """The given cluster uses no token, and one was found here."""


class RayPool:
    """`job.workers` workers on a Ray cluster, or on one that is started here and ends with this."""

    def __init__(self, job: RayJob) -> None:
        self._job = job
        self._driver: RayDriver | None = None
        self._token = True
        self._failures = 0
        self._lost_since: float | None = None

    def __enter__(self) -> "RayPool":
        """Begin to start a cluster here, or connect to the given one.

        Raises UnitscopeError where the given one cannot be used.
        """
        try:
            self._driver = RayDriver(self._job)
            if self._job.address is not None:
                self._until_started()
        except DriverLostError as error:
            self.__exit__()
            raise SweepError(
                f"--ray-address {self._job.address} cannot be used: {error}. Is a cluster running there? `ray start "
                "--head` starts one; without --ray-address one is started for this command"
            ) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def _until_started(self) -> None:
        """Wait for the given cluster; without the token that was found where the cluster has none."""
        try:
            while self._next(self._current()) != ("started",):
                pass
        except NoTokenError:
            self.__exit__()
            self._token = False
            while self._next(self._current()) != ("started",):
                pass

    def __exit__(self, *error: object) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def prepare(self, note: Note = silent) -> None:
        """See Pool. A worker that dies meanwhile gets ready with its first task."""
        while True:
            driver: RayDriver | None = None
            try:
                driver = self._current()
                driver.send("prepare")
                while (message := self._next(driver)) != ("prepared",):
                    if message[0] == "note":
                        note(message[1])
                return
            except DriverLostError as error:
                self._recover(error, note)

    def map(self, step: str, tasks: Sequence[Any], note: Note = silent) -> Iterator[Any]:
        """See Pool. Raises SweepError where Ray dies again and again, or a task ends many workers."""
        left = dict(enumerate(tasks))
        ended = False
        try:
            while left:
                try:
                    driver = self._current()
                    driver.send("map", step, list(left.items()))
                    while (message := self._next(driver)) != ("mapped",):
                        if message[0] == "note":
                            note(message[1])
                        elif message[0] == "result" and message[1] in left:
                            del left[message[1]]
                            self._failures, self._lost_since = 0, None
                            yield message[2]
                except DriverLostError as error:
                    for number, result in self._rescued():
                        if left.pop(number, None) is not None:
                            yield result
                    self._recover(error, note)
            ended = True
        finally:
            if not ended:  # the driver still works on the other tasks
                self.__exit__()

    def _rescued(self) -> Iterator[tuple[int, Any]]:
        """Yield the results that a lost driver had sent."""
        for message in self._driver.drain() if self._driver is not None else []:
            if message[0] == "result":
                yield message[1], message[2]

    def _current(self) -> RayDriver:
        if self._driver is None:
            self._driver = RayDriver(self._job, token=self._token)
        return self._driver

    def _next(self, driver: RayDriver) -> tuple[Any, ...]:
        """Return the next message. Raises what the driver reports."""
        while True:
            message = driver.receive()
            if message is None or message[0] == "alive":
                continue
            if message[0] == "no-token":
                if "RAY_AUTH_MODE" in os.environ or not self._token:
                    raise UsageError(
                        f"--ray-address {self._job.address}: the cluster uses no token, and RAY_AUTH_MODE is set here: "
                        "unset it"
                    )
                raise NoTokenError
            if message[0] == "lost":
                raise DriverLostError(message[1])
            if message[0] == "error":
                raise message[1]
            if message[0] == "bug":
                raise RuntimeError(f"a worker failed:\n{message[1]}")
            return message

    def _recover(self, error: DriverLostError, note: Note) -> None:
        """End what is left of the driver; a new one is started by the next use. Raises SweepError past the limit."""
        self.__exit__()
        if self._job.address is None:
            self._failures += 1
            if self._failures > RESTARTS:
                raise SweepError(
                    f"Ray failed {self._failures} times in a row; the last: {error}. Run the same command to go on, or "
                    "give --workers 0 to work without Ray"
                ) from error
            note(f"{error}; starting Ray again ({self._failures} of {RESTARTS})")
            return
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        waited = now - self._lost_since
        if waited > RECONNECT_SECONDS:
            raise SweepError(
                f"{self._name()} has not answered for {waited:.0f} s: {error}. When it is there again, run the same "
                "command to go on"
            ) from error
        note(f"waiting for {self._name()}: {error} ({waited:.0f} s of {RECONNECT_SECONDS:.0f} s)")
        time.sleep(RECONNECT_PAUSE)

    def _name(self) -> str:
        return f"the Ray cluster at {self._job.address}" if self._job.address else "Ray"
