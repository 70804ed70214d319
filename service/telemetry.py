"""What is known of the request that is being answered: its id, route, client and search, for metrics and the log."""

from contextvars import ContextVar
from typing import Literal

from starlette.types import Scope

Search = Literal["exact", "ann"]


class Observed:
    """What is known of a request while it is answered. id: in the answer's X-Request-ID and in the log."""

    __slots__ = ("complete", "id", "route", "search", "status")

    def __init__(self, id: str) -> None:
        self.id = id
        self.route = OTHER
        self.search: Search | None = None
        self.status = 500
        """Unless an answer says otherwise: none has come."""
        self.complete = False


CURRENT: ContextVar[Observed | None] = ContextVar("unitscope_observed", default=None)


def current_id() -> str | None:
    """Return the id of the request that is being answered."""
    observed = CURRENT.get()
    return None if observed is None else observed.id


def searched(*, exact: bool) -> None:
    """Note that the request that is being answered has searched for neighbours."""
    observed = CURRENT.get()
    if observed is not None:
        observed.search = "exact" if exact else "ann"


def note_route(template: str) -> None:
    """Note the template of the address that is being answered, where no router says it."""
    observed = CURRENT.get()
    if observed is not None:
        observed.route = template


CLIENT: ContextVar[str] = ContextVar("client", default="")
"""The address of the client whose request is being answered; empty where there is none."""


def client_of(scope: Scope) -> str:
    """Return the client's address, without its port."""
    client = scope.get("client")
    return str(client[0]) if client else ""


OTHER = "other"
"""The method of a request that has an unknown one, and the route of one that has none."""
