"""Starts the service in this process: the `serve` command."""

import resource
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import uvicorn
from threadpoolctl import threadpool_limits

from ..common.errors import UsageError
from .app import create_app
from .http import logs
from .http.connections import limited_protocol
from .http.origins import Hosts
from .live.options import LiveOptions
from .stores.trusted import Trusted

_OPEN_FILES = 65_536


def serve(
    stores: list[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    log: logs.Form = "off",
    live_threads: int | None = 1,
    allowed_hosts: Sequence[str] = (),
    trust: Trusted | None = None,
) -> None:
    """Serve until it is interrupted. Raises StoreError, and UsageError for a taken port.

    port: 0 takes a free one. live_threads: that the model worker computes with; None for no worker. allowed_hosts:
    names that requests may be addressed to beside those of the address listened on.
    trust: what of the models and datasets that the stores name may be used.
    """
    logs.configure(log)
    logs.ignore_malformed_requests()
    allow_open_files()
    live = None if live_threads is None else LiveOptions(threads=live_threads)
    app = create_app(stores, hosts=Hosts.of(host, allowed_hosts), live=live, warm=True, trust=trust)
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"

    def announce() -> None:
        if log == "json":
            logs.happened("serving", address=address, stores=stores)
        else:
            print(address, file=sys.stderr, flush=True)

    config = uvicorn.Config(
        app,
        http=limited_protocol(app.state.connections),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    with threadpool_limits(
        limits=1, user_api="blas"
    ):  # requests are many: more threads for one cost all the others
        _Server(config, announce).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raise nothing of its own."""
        await super().startup(sockets)
        if self.started:
            self._announce()


def allow_open_files() -> None:
    """Raise the limit of open files as far as this user may: a store's packs stay open while they are served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def free_port(port: int) -> int:
    """Return this loopback port where nobody has it, otherwise another that is free."""
    try:
        with _listen("127.0.0.1", port) as listener:
            return int(listener.getsockname()[1])
    except UsageError:
        return free_port(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; without it each answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror}; give another --port (0: any)"
        ) from error
    return listener
