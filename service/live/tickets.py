"""The requests that wait for the model worker, in an order that is fair to clients."""

from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Event

from ...common.errors import UnitscopeError
from .protocol import Message

_CLIENTS = 1000
"""Clients of which it is known when they were answered, about."""


@dataclass
class Ticket:
    """One request's place. client: the address that it is of."""

    request: Message
    client: str = ""
    done: Event = field(default_factory=Event)
    answer: Message | None = None
    problem: UnitscopeError | None = None

    def finish(self, answer: Message | None, problem: UnitscopeError | None = None) -> None:
        """Set the answer, and wake up the thread that waits for it."""
        self.answer, self.problem = answer, problem
        self.done.set()


class Tickets:
    """Waiting requests. Not safe to use from several threads: the owner has a lock."""

    def __init__(self) -> None:
        self._waiting: deque[Ticket] = deque()
        self._served: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, ticket: Ticket | None) -> bool:
        return ticket in self._waiting

    def add(self, ticket: Ticket) -> None:
        """Add a request at the end."""
        self._waiting.append(ticket)

    def remove(self, ticket: Ticket) -> None:
        """Remove a request that waits."""
        self._waiting.remove(ticket)

    def take(self, ticket: Ticket, now: float) -> None:
        """Remove a request that is served now. now: seconds, of a monotonic clock."""
        self._waiting.remove(ticket)
        self._served[ticket.client] = now

    def clear(self) -> list[Ticket]:
        """Remove all, and return them."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def displaced_by(self, client: str) -> Ticket | None:
        """Return the request that gives its place in a full queue to one of this client: the last of the client with
        the most, where that has at least two more than this one.
        """
        waiting = Counter(one.client for one in self._waiting)
        if not waiting or max(waiting.values()) < waiting[client] + 2:
            return None
        most = max(waiting.values())
        return next(one for one in reversed(self._waiting) if waiting[one.client] == most)

    def next(self) -> Ticket | None:
        """Return the first request of the client that was answered longest ago."""
        served = self._served
        for gone in served.keys() - {one.client for one in self._waiting}:
            if len(served) > _CLIENTS:
                del served[gone]
        return min(self._waiting, key=lambda one: served.get(one.client, -1.0), default=None)
