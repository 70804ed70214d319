"""Which hosts a service answers as, and which web pages may make a browser ask it to act."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?)(?::(\d{1,5}))?", re.IGNORECASE)
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})
"""Addresses to listen on that mean all of this machine's."""


@dataclass(frozen=True)
class Hosts:
    """The names that requests may be addressed to. addresses: any address in numbers is fine too.

    A service has no login, and a foreign page whose name resolves to it (DNS rebinding) must not read the dataset
    through a browser. Such a page has a name; who writes an address in numbers has found the service by himself.
    """

    names: frozenset[str]
    addresses: bool = False

    @staticmethod
    def of(host: str, allowed: Iterable[str] = ()) -> "Hosts":
        """Return those of a service that listens on `host`, with the names that its person allows."""
        named = {name.lower().rstrip(".") for name in allowed}
        if host in _EVERYWHERE:
            own = socket.gethostname().lower()
            return Hosts(LOOPBACK | named | {own, f"{own}.local"}, addresses=True)
        shown = f"[{host}]" if ":" in host else host.lower()
        return Hosts(LOOPBACK | named | {shown})

    def allows(self, name: str) -> bool:
        """Return whether requests may be addressed to this name, as `host_name` gives it."""
        return name in self.names or (self.addresses and _is_address(name))


@lru_cache(maxsize=64)
def host_name(host: str) -> str | None:
    """Return the name in a Host header, in lower case and without its port; None where the header is malformed."""
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65535:
        return None
    name = match[1].lower()
    if name.startswith("["):
        return name if _is_address(name) else None
    return name.rstrip(".") or None


def is_foreign(host: str, origin: str | None, site: str | None) -> bool:
    """Return whether a browser sent a request for a page of another origin. host: the Host header.

    origin, site: the headers Origin and Sec-Fetch-Site; programs that are not browsers send neither.
    """
    if site is not None and site not in ("same-origin", "none"):
        return True
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
