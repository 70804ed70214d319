"""Which client a request is of, known wherever it is answered, so that one client cannot take what all share."""

from contextvars import ContextVar

from starlette.types import Scope

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""The address of the client whose request is being answered; empty where there is none."""


def client_of(scope: Scope) -> str:
    """Return the client's address, without its port."""
    client = scope.get("client")
    return str(client[0]) if client else ""
