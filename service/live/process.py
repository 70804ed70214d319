"""The model worker and its zygote as their service sees them: started, asked, and killed where they take too long."""

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from threading import Lock, Timer

from .fork_server import FORK, READY, STATUS
from .protocol import Message, read, write

_COMMAND = (sys.executable, "-P", "-m", "unitscope.service.live.fork_server")
START_SECONDS = 120.0
"""For a zygote that imports torch on a busy machine, and its first worker."""
FORK_SECONDS = 20.0
"""For a worker of a zygote that is ready."""
_END_SECONDS = 5.0


class WorkerDiedError(Exception):
    """The worker is gone; the message says how."""


class WorkerProcess:
    """One worker. Used from one thread; `alive` and `close` from any."""

    def __init__(self, connection: socket.socket, status: int, seconds: float) -> None:
        """Wait until it is ready. status: a pipe that ends with it, and says its exit code. Raises WorkerDiedError."""
        self._connection, self._status = connection, status
        self._requests, self._answers = connection.makefile("wb"), connection.makefile("rb")
        self._lock, self._ended = Lock(), False
        self._code: int | None = None
        self.pid: int | None = None
        """Its process id."""
        self.pid = int(self._receive(seconds).head["pid"])

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._look(0)

    def ask(self, request: Message, seconds: float) -> Message:
        """Return its answer. Raises WorkerDiedError where it dies, or is killed because it takes longer than
        `seconds`.
        """
        return self._receive(seconds, request)

    def close(self) -> None:
        """End it."""
        self._hang_up()
        if self._look(0) and self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._look(_END_SECONDS)
        for stream in (self._requests, self._answers):
            with suppress(OSError):  # what was not sent yet
                stream.close()
        self._connection.close()

    def _receive(self, seconds: float, request: Message | None = None) -> Message:
        timer = Timer(seconds, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                write(self._requests, request)
            answer = read(self._answers)
        except (OSError, ValueError):
            answer = None
        finally:
            late = not timer.is_alive()
            timer.cancel()
        if answer is None:
            self.close()
            ended = "it is gone" if self._code is None else f"exit code {self._code}"
            raise WorkerDiedError(f"it took more than {seconds:g} s" if late else ended)
        return answer

    def _hang_up(self) -> None:
        """Hang up, so that a reader of its answer reads the end."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _look(self, seconds: float) -> bool:
        """Return whether it runs, after at most `seconds` in which it may end."""
        with self._lock:
            if not self._ended and _readable(self._status, seconds):
                said = os.read(self._status, STATUS.size)
                if said:  # the zygote, if it is still there
                    (self._code,) = STATUS.unpack(said)
                self._ended = True
                os.close(self._status)
            return not self._ended


class Zygote:
    """One zygote. `fork` from one thread; the others from any."""

    def __init__(self, threads: int) -> None:
        """Start it; that it is ready takes some seconds. threads: of the torch of its workers. Raises OSError."""
        self._control, theirs = socket.socketpair()
        self._ready = False
        number = str(threads)
        with theirs:
            # A session of its own: Ctrl-C is the service's. BLAS threads of NumPy would be lost in a fork.
            self._process = subprocess.Popen(
                [*_COMMAND, str(theirs.fileno()), number],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a user's network prints is not an answer
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": number, "OPENBLAS_NUM_THREADS": "1"},
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def stood_by(self) -> bool:
        """Whether it has been ready."""
        if not self._ready:
            with suppress(OSError):  # it has said nothing yet, or is closed
                self._ready = self._control.recv(len(READY), socket.MSG_DONTWAIT) == READY or self._ready
        return self._ready

    @property
    def ready(self) -> bool:
        """Whether it stands by: a worker is there in milliseconds."""
        return self.stood_by and self.alive

    def fork(self) -> WorkerProcess:
        """Return a worker that is ready. Raises WorkerDiedError; a zygote that was too slow is ended then."""
        seconds = FORK_SECONDS if self.ready else START_SECONDS
        connection, theirs = socket.socketpair()
        status, told = os.pipe()
        with suppress(OSError):  # it has died: so the connection ends
            socket.send_fds(self._control, [FORK], [theirs.fileno(), told])
        theirs.close()
        os.close(told)
        try:
            return WorkerProcess(connection, status, seconds)
        except WorkerDiedError:
            self.close()
            raise

    def close(self) -> None:
        """End it; its workers go on."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # with a fork of it that is not a worker yet
        self._process.wait()
        self._control.close()


def _readable(stream: int, seconds: float) -> bool:
    events = select.poll()
    events.register(stream, select.POLLIN)
    return bool(events.poll(1000 * seconds))
