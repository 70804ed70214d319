"""Ends a command on SIGINT, SIGTERM or SIGHUP: it unwinds, so that locks and workers are let go, within a bounded time.

The first signal raises Stopped in the main thread. A second signal, or GRACE seconds, end the process and all that it
started at once: a library may have swallowed the exception, or a thread may compute on.
"""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from ..common.processes import end_children

GRACE = 12.0
"""Seconds that unwinding may take."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal asks this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")


class Stopping:
    """The first signal that came, if any, and what ends the process when it does not end by itself."""

    def __init__(self, say: Callable[[], None]) -> None:
        self._say = say
        self._timer: threading.Timer | None = None
        self.code: int | None = None

    def handle(self, number: int, _frame: FrameType | None) -> NoReturn:
        """Raise Stopped for the first signal; end the process for the second."""
        if self.code is not None:
            self._force()
        self.code = 128 + number
        self._timer = threading.Timer(GRACE, self._force)
        self._timer.daemon = True
        self._timer.start()
        raise Stopped(number)

    def _force(self) -> NoReturn:
        end_children()
        self._say()
        os._exit(self.code or 1)

    def close(self) -> None:
        """Forget about ending the process."""
        if self._timer is not None:
            self._timer.cancel()


@contextmanager
def stopping_on_signals(say: Callable[[], None], *, for_good: bool) -> Generator[Stopping]:
    """Let signals stop the command inside. say: shows what to do next; called here only where the end is forced.

    for_good: the process ends afterwards, so after a signal the handlers stay.
    """
    stopping = Stopping(say)
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {
        number: signal.signal(number, stopping.handle)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN  # `nohup`, or a shell's background job
    }
    try:
        yield stopping
    finally:
        if not (for_good and stopping.code is not None):
            stopping.close()
            for number, handler in before.items():
                signal.signal(number, handler)


def end_now(code: int) -> NoReturn:
    """End this process and what it started, without waiting for threads that still compute."""
    end_children()
    os._exit(code)
