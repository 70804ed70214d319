"""`LiveModel`: the service's side of its model worker: a bounded queue, limits, and a new worker when one dies.

One for a service. The worker is started by the first request. One thread of this process hands it one request after
another; who asks waits in a thread of its own, until an answer, a limit, or until it goes away.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread

from ...common.errors import ImageError, ImageStatus, UnitscopeError, UsageError
from ..errors import ModelChangedError, ModelUnavailableError
from ..telemetry import CLIENT
from . import protocol
from .options import LiveOptions, LiveStatus
from .process import WorkerDiedError, WorkerProcess, Zygote
from .protocol import Head, Message
from .tickets import Ticket, Tickets

_LOOK_SECONDS = 0.5
"""How soon the death of an idle worker is seen."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class LiveModel:
    """Any threads may ask."""

    def __init__(
        self,
        options: LiveOptions | None = None,
        *,
        start: Callable[[int], Zygote] = Zygote,
    ) -> None:
        """options: None where there is no worker, and every request is refused."""
        self.options = options
        self._start = start
        self._changed = Condition()
        self._waiting = Tickets()
        self._running: Ticket | None = None
        self._worker: WorkerProcess | None = None
        self._zygote: Zygote | None = None
        self._thread: Thread | None = None
        self._loaded: set[str] = set()
        self._state, self._reason, self._closed = "idle" if options else "off", "", False
        self._deaths, self._not_before = 0, float("-inf")
        self._answered = self._failed = self._restarts = 0

    @property
    def full(self) -> bool:
        """Whether a request of this client would be refused now."""
        if self.options is None or len(self._waiting) < self.options.queue:
            return False
        with self._changed:
            return self._waiting.displaced_by(CLIENT.get()) is None

    def status(self) -> LiveStatus:
        """Return it for pages and metrics."""
        with self._changed:
            worker, zygote = self._worker, self._zygote
            pause = max(0.0, self._not_before - time.monotonic())
            return LiveStatus(
                self._state, zygote is not None and zygote.ready, len(self._waiting), self._answered, self._failed,
                self._restarts, worker.pid if worker else None, pause, self._reason,
            )  # fmt: skip

    def ask(self, head: Head, body: bytes = b"", *, gone: Event | None = None) -> Message:
        """Return the worker's answer. gone: set when the client has gone away; then nobody sees what is raised.

        Raises ModelUnavailableError (no worker, too busy, too slow, no such model here), ModelChangedError, ImageError,
        UsageError, UnitscopeError.
        """
        options = self.options
        if options is None:
            raise ModelUnavailableError(
                "this service runs without a model (`unitscope serve --no-live`); all that needs none is answered"
            )
        ticket = Ticket(Message(head, body), CLIENT.get())
        self._enter(ticket, options)
        self._await(ticket, options.seconds, gone)
        if ticket.problem is not None:
            raise ticket.problem
        assert ticket.answer is not None
        return _checked(ticket.answer)

    def refuse_if_full(self) -> None:
        """Raise ModelUnavailableError where the queue is full: before a body is read in vain."""
        if self.full:
            raise _busy(self.options)

    def close(self) -> None:
        """End the worker; who waits is told."""
        with self._changed:
            self._closed = True
            waiting = [*self._waiting.clear(), *([self._running] if self._running else [])]
            self._changed.notify_all()
            processes = self._zygote, self._worker
        for ticket in waiting:
            ticket.finish(None, ModelUnavailableError("the service is stopping"))
        for process in processes:
            if process is not None:
                process.close()

    # Who asks

    def _enter(self, ticket: Ticket, options: LiveOptions) -> None:
        with self._changed:
            if self._closed:
                raise ModelUnavailableError("the service is stopping")
            if len(self._waiting) >= options.queue:
                displaced = self._waiting.displaced_by(ticket.client)
                if displaced is None:
                    raise _busy(options)
                self._waiting.remove(displaced)
                displaced.finish(None, _busy(options))
            if self._thread is None:
                self._thread = Thread(target=self._run, args=(options,), name="live model", daemon=True)
                self._thread.start()
            self._waiting.add(ticket)
            self._changed.notify_all()

    def _await(self, ticket: Ticket, limit: float, gone: Event | None) -> None:
        until = time.monotonic() + limit
        while not ticket.done.wait(min(_LOOK_SECONDS, max(0.0, until - time.monotonic()))):
            left = gone is not None and gone.is_set()
            if not left and time.monotonic() < until:
                continue
            with self._changed:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
            what = (
                "the client went away" if left else f"the model gave no answer in {limit:g} s ({self._state})"
            )
            raise ModelUnavailableError(f"{what}; try again", retry_after=5)

    # The thread that has the worker

    def _run(self, options: LiveOptions) -> None:
        while True:
            with self._changed:
                self._running = None
                while not (self._waiting or self._closed or self._has_died()):
                    self._changed.wait(_LOOK_SECONDS)
                    self._replace_zygote(options)
                if self._closed:
                    return
                ticket = self._waiting.next()
            try:
                worker = self._ready(options)
            except ModelUnavailableError as problem:
                self._refuse_waiting(problem)
                continue
            with self._changed:
                if ticket is None or ticket not in self._waiting:
                    continue
                self._waiting.take(ticket, time.monotonic())
                self._running, self._state = ticket, "busy"
            self._exchange(worker, ticket, options)

    def _has_died(self) -> bool:
        """Return an idle worker's death is seen here; it is started again when its pause is over."""
        worker = self._worker
        return worker is not None and not worker.alive and time.monotonic() >= self._not_before

    def _ready(self, options: LiveOptions) -> WorkerProcess:
        """Return the worker, started where there is none. Raises ModelUnavailableError during the pause after a
        death.
        """
        worker = self._worker
        if worker is not None and worker.alive:
            return worker
        if worker is not None and self._state in ("ready", "busy"):
            worker.close()
            self._note_death("it was killed while it had nothing to do")
        pause = self._not_before - time.monotonic()
        if pause > 0:
            raise ModelUnavailableError(
                f"the model worker has died ({self._reason}); it is started again in {pause:.0f} s",
                retry_after=int(pause) + 1,
            )
        with self._changed:
            self._state = "starting"
        try:
            started = self._living_zygote(options).fork()
        except (WorkerDiedError, OSError) as error:
            self._note_death(f"it did not start: {error}")
            raise ModelUnavailableError(
                f"the model worker did not start ({error}); what it said is on the service's stderr",
                retry_after=5,
            ) from error
        with self._changed:
            self._worker, self._state = started, "ready"
            closed = self._closed
        if closed:
            started.close()
        return started

    def _living_zygote(self, options: LiveOptions) -> Zygote:
        """Raise OSError, and WorkerDiedError where the service is stopping."""
        with self._changed:
            if self._closed:
                raise WorkerDiedError("the service is stopping")
            if self._zygote is not None and self._zygote.alive:
                return self._zygote
            if self._zygote is not None:
                self._zygote.close()
            self._zygote = self._start(options.threads)
            return self._zygote

    def _replace_zygote(self, options: LiveOptions) -> None:
        """See the death of one that stood by is seen here. Where a new one fails too, the next worker's start says
        why.
        """
        zygote = self._zygote
        if zygote is not None and zygote.stood_by and not zygote.alive:
            with suppress(OSError, WorkerDiedError):
                self._living_zygote(options)

    def _exchange(self, worker: WorkerProcess, ticket: Ticket, options: LiveOptions) -> None:
        key = repr(ticket.request.head["model"])
        limit = options.seconds if key in self._loaded else options.load_seconds
        try:
            answer = worker.ask(ticket.request, limit)
        except WorkerDiedError as error:
            self._note_death(str(error))
            self._failed += 1
            ticket.finish(
                None,
                ModelUnavailableError(
                    f"the model worker died while it answered ({error}); it is started again", retry_after=2
                ),
            )
            return
        with self._changed:
            self._state, self._deaths = "ready", 0
            failed = "error" in answer.head
            self._failed, self._answered = self._failed + failed, self._answered + (not failed)
            if not failed:
                self._loaded.add(key)
        ticket.finish(answer)

    def _note_death(self, reason: str) -> None:
        """Note a death: a first one costs no pause; each one more without an answer between doubles it."""
        with self._changed:
            pause = 0.0 if not self._deaths else min(_FIRST_PAUSE * 2 ** (self._deaths - 1), _LONGEST_PAUSE)
            self._deaths += 1
            self._restarts += 1
            self._not_before = time.monotonic() + pause
            self._state, self._reason = "dead", reason
            self._loaded.clear()

    def _refuse_waiting(self, problem: ModelUnavailableError) -> None:
        with self._changed:
            waiting = self._waiting.clear()
        for ticket in waiting:
            ticket.finish(None, problem)


def _busy(options: LiveOptions | None) -> ModelUnavailableError:
    waiting = options.queue if options else 0
    return ModelUnavailableError(
        f"the model is busy: {waiting} requests wait for it already; try again", retry_after=2
    )


def _checked(answer: Message) -> Message:
    """Return the answer, or its problem raised."""
    kind, message = answer.head.get("error"), str(answer.head.get("message"))
    if kind is None:
        return answer
    if kind == protocol.IMAGE:
        raise ImageError(ImageStatus(answer.head["status"]), f"{answer.head['status']}: {message}")
    if kind == protocol.REQUEST:
        raise UsageError(message)
    if kind == protocol.CHANGED:
        raise ModelChangedError(message)
    if kind == protocol.REFUSED:
        raise UnitscopeError(message)
    raise ModelUnavailableError(message)
