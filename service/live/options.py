"""What `LiveModel` is told, and what it tells of itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveOptions:
    """threads: that the network computes with. queue: requests that may wait. seconds: after which a request is given
    up, waiting and all. load_seconds: that the worker may take for the first request of a model, which it may have to
    download; who asks is told to try again meanwhile.
    """

    threads: int = 1
    queue: int = 8
    seconds: float = 60.0
    load_seconds: float = 900.0


@dataclass(frozen=True)
class LiveStatus:
    """state: `off`, `idle` (never asked), `starting`, `ready`, `busy`, `dead` (it is started again in `retry_after` s).

    waiting: requests in the queue. spare: whether a zygote stands by, from which a new worker is forked.
    answered, failed: requests since the service began; restarts: of the worker.
    """

    state: str
    spare: bool
    waiting: int
    answered: int
    failed: int
    restarts: int
    pid: int | None
    retry_after: float
    reason: str
