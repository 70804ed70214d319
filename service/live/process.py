"""The model worker as its service sees it: started, asked, and killed where it takes too long."""

import os
import subprocess
import sys
from contextlib import suppress
from threading import Timer
from typing import BinaryIO, cast

from .protocol import Message, read, write

_COMMAND = (sys.executable, "-P", "-m", "unitscope.service.live.worker")
START_SECONDS = 120.0


class WorkerDiedError(Exception):
    """The worker is gone; the message says how."""


class WorkerProcess:
    """One worker. Used from one thread; `alive` and `close` from any."""

    def __init__(self, threads: int, *, thorough: bool = False) -> None:
        """Starts it and waits until it is ready, some seconds. Raises WorkerDiedError.

        threads: of torch. thorough: ready later, and then with what a first request may need to import.
        """
        # A session of its own: Ctrl-C is the service's, and the worker ends when its standard input does.
        self._process = subprocess.Popen(
            [*_COMMAND, str(threads), "thorough" if thorough else "quick"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        self._stdin = cast("BinaryIO", self._process.stdin)
        self._stdout = cast("BinaryIO", self._process.stdout)
        self._receive(START_SECONDS)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, request: Message, seconds: float) -> Message:
        """Its answer. Raises WorkerDiedError where it dies, or is killed because it takes longer than `seconds`."""
        return self._receive(seconds, request)

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._stdin, self._stdout):
            with suppress(OSError):  # what was not sent yet
                stream.close()

    def _receive(self, seconds: float, request: Message | None = None) -> Message:
        timer = Timer(seconds, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                write(self._stdin, request)
            answer = read(self._stdout)
        except (OSError, ValueError):
            answer = None
        finally:
            late = not timer.is_alive()
            timer.cancel()
        if answer is None:
            self.close()
            code = self._process.returncode
            raise WorkerDiedError(f"it took more than {seconds:g} s" if late else f"exit code {code}")
        return answer
