"""One writer for a store: a lock that the next run gets when this one ends, however it ends.

On a local disk the kernel holds it (`flock`) and drops it with the process. A bucket has no such thing: there the lock
is an object made create-only, which its holder rewrites every HEARTBEAT seconds. It is stale after STALE, or at once
where its holder was a process of this machine that is no more.
"""

import fcntl
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..common.errors import StorageError, StoreBusyError
from ..index.storage.folder import Folder, MissingFileError

LOCK_FILE = ".lock"
TAKEOVER_FILE = ".lock-takeover"
HEARTBEAT = 20.0
STALE = 120.0

_log = logging.getLogger(__name__)


@contextmanager
def writing(folder: Folder) -> Generator[None]:
    """Hold the store for writing; what earlier writers left half written is removed.

    Raises StoreBusyError, naming the holder, where another run has it; StorageError where the folder cannot be written.
    """
    path = folder.local_path(LOCK_FILE)
    with _local(folder, path) if path is not None else _remote(folder):
        folder.clean_temporary()
        yield


@contextmanager
def _local(folder: Folder, path: Path) -> Generator[None]:
    try:
        descriptor = folder.attempt(LOCK_FILE, lambda: _open(path))
    except MissingFileError as error:
        raise StorageError(f"{folder.url} cannot be made here: give another folder") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusyError(_busy(folder, os.pread(descriptor, 4096, 0))) from None
        with suppress(OSError):  # a full disk: who holds the lock is for messages alone
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _holder(), 0)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


@contextmanager
def _remote(folder: Folder) -> Generator[None]:
    token = secrets.token_hex(8)
    if not folder.publish_new(LOCK_FILE, _holder(token)):
        _take_over(folder, token)
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(folder, token, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
        if _read(folder, LOCK_FILE).get("token") == token:
            folder.remove(LOCK_FILE)


def _take_over(folder: Folder, token: str) -> None:
    """Replace a stale lock by ours. Raises StoreBusyError where it is not stale, or another run is quicker.

    Whoever makes the takeover object create-only may replace the lock, once it has seen that it is still stale.
    """
    held = _read(folder, LOCK_FILE)
    if not _is_stale(held):
        raise StoreBusyError(_busy(folder, json.dumps(held).encode()))
    if not folder.publish_new(TAKEOVER_FILE, _holder(token)):
        if _is_stale(_read(folder, TAKEOVER_FILE)):  # a run was killed between two requests
            folder.remove(TAKEOVER_FILE)
        raise StoreBusyError(f"{folder.url} is being taken over by another run: wait a moment and try again")
    try:
        held = _read(folder, LOCK_FILE)
        if not _is_stale(held):
            raise StoreBusyError(_busy(folder, json.dumps(held).encode()))
        folder.publish(LOCK_FILE, _holder(token))
    finally:
        folder.remove(TAKEOVER_FILE)


def _read(folder: Folder, name: str) -> dict[str, Any]:
    """Return what a lock says; nothing where it is gone or is not JSON, which is stale."""
    try:
        found = json.loads(folder.read(name))
    except (MissingFileError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_stale(held: dict[str, Any]) -> bool:
    written = held.get("time")
    if not isinstance(written, int | float) or time.time() - written >= STALE:
        return True
    mine = (socket.gethostname(), _processes())
    if not mine[1] or (held.get("host"), held.get("processes")) != mine:
        return False
    pid = held.get("pid")
    return isinstance(pid, int) and not Path(f"/proc/{pid}").exists()


def _beat(folder: Folder, token: str, done: threading.Event) -> None:
    """Keep the lock fresh, as long as it is ours."""
    while not done.wait(HEARTBEAT):
        try:
            held = _read(folder, LOCK_FILE)
            if held.get("token", token) != token:
                _log.warning(
                    "%s: another run has taken the lock over: this one was silent for too long", folder.url
                )
                return
            folder.publish(LOCK_FILE, _holder(token))
        except StorageError as error:  # if it lasts, the work itself fails
            _log.warning("%s", error)


def _processes() -> str:
    """Return what tells one machine's process numbers from those of a container of the same name; "" where nothing
    does.
    """
    try:
        return (
            str(Path("/proc/self/ns/pid").readlink())
            + Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        )
    except OSError:
        return ""


def _holder(token: str = "") -> bytes:
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
    return json.dumps(holder | {"processes": _processes(), "token": token}).encode()


def _busy(folder: Folder, held: bytes) -> str:
    try:
        holder = json.loads(held)
        who = f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    freed = "" if folder.is_local else f" (if it was killed, the store is free {STALE:.0f} seconds later)"
    return f"{folder.url} is being written by {who}: wait for it, or stop it and run the command again to resume{freed}"
