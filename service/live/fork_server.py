"""The fork server: the process that model workers are forked from. It has torch imported, one thread and no network.

`process.py` starts it once for a service, and again whenever it dies:

    python -m unitscope.service.live.fork_server FD THREADS

Importing torch takes seconds, a fork milliseconds. A fork copies one thread alone, and an operation of torch may start
more: so none runs here. It ends with its service, and its workers outlive it.
"""

import gc
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import BinaryIO

from .protocol import Message, read, write

STATUS = struct.Struct("<i")
"""A worker's exit code, as the service is told it."""
FORK = b"f"
"""Comes with the worker's connection and the pipe for its status."""
READY = b"r"

Answer = Callable[[Message], Message]


class _Zygote:
    """Forks where it is told to, and tells how its children end. begin: what a child does first; it then answers."""

    def __init__(self, control: socket.socket, begin: Callable[[], Answer]) -> None:
        self._control, self._begin = control, begin
        self._statuses: dict[int, int] = {}
        self._ended, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)

    def run(self, prepare: Callable[[], None]) -> None:
        """Run until the service is gone. prepare: imports more, which a first worker that is waited for does
        without.
        """
        events = select.poll()
        for stream in (self._control.fileno(), self._ended):
            events.register(stream, select.POLLIN)
        ready = False
        while True:
            for stream, _ in events.poll(None if ready else 0):
                if stream == self._ended:
                    self._reap()
                elif not self._answer():
                    return
            if not ready:
                prepare()
                gc.collect()
                gc.freeze()  # no collection writes to the pages that the workers share
                self._control.send(READY)
                ready = True

    def _answer(self) -> bool:
        """Fork a worker; False where the service is gone."""
        said, streams, _, _ = socket.recv_fds(self._control, len(FORK), 2)
        if said != FORK:
            return False
        connection, status = socket.socket(fileno=streams[0]), streams[1]
        pid = os.fork()
        if pid == 0:
            self._become_worker(connection)
        connection.close()
        self._statuses[pid] = status
        return True

    def _become_worker(self, connection: socket.socket) -> None:
        """Do not return."""
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            for stream in (self._ended, self._wake, *self._statuses.values()):
                os.close(stream)
            _serve(connection, self._begin)
        except BaseException:  # noqa: BLE001 - nothing may go on as a second zygote
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _reap(self) -> None:
        os.read(self._ended, 1 << 10)
        while self._statuses:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            stream = self._statuses.pop(pid)
            with suppress(BrokenPipeError):  # the service does not ask any more
                os.write(stream, STATUS.pack(os.waitstatus_to_exitcode(status)))
            os.close(stream)


def _serve(connection: socket.socket, begin: Callable[[], Answer]) -> None:
    """Answer what comes over the connection, one request at a time, until it ends."""
    requests: SimpleQueue[Message] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection.makefile("rb"), requests), daemon=True).start()
    answers, answer = connection.makefile("wb"), begin()
    with suppress(OSError):  # the service is gone
        write(answers, Message({"pid": os.getpid()}))
        while True:
            write(answers, answer(requests.get()))


def _receive(stream: BinaryIO, requests: "SimpleQueue[Message]") -> None:
    """End the process with its service, even in the middle of a forward pass."""
    try:
        while (request := read(stream)) is not None:
            requests.put(request)
    finally:
        os._exit(0)


def main() -> None:
    """Run the fork server. argv: the file descriptor of the service's socket, the number of threads of a worker's
    torch.
    """
    from . import worker  # here, so that what imports this module gets no torch

    control, threads = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    _Zygote(control, lambda: worker.begin(threads).answer).run(worker.prepare)
    os._exit(0)  # what torch brings along complains where Python clears it away


if __name__ == "__main__":
    main()
