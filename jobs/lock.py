"""One writer for a store: a lock that the next run gets when this one ends, however it ends.

On a local disk the kernel holds it (`flock`) and drops it with the process. A bucket has no such thing: there the lock
is an object made create-only, which its holder rewrites every HEARTBEAT seconds, and which is stale after STALE.
"""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..common.errors import StoreBusyError
from ..index.files import Folder

LOCK_FILE = ".lock"
HEARTBEAT = 20.0
STALE = 120.0


@contextmanager
def writing(folder: Folder) -> Generator[None]:
    """Holds the store for writing. Raises StoreBusyError, naming the holder, where another run has it."""
    path = folder.local_path(LOCK_FILE)
    with _local(path) if path is not None else _remote(folder):
        yield


@contextmanager
def _local(path: Path) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusyError(_busy(path.parent, os.pread(descriptor, 4096, 0))) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _holder(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _remote(folder: Folder) -> Generator[None]:
    if not folder.publish_new(LOCK_FILE, _holder()):
        held = folder.read(LOCK_FILE)
        if time.time() - float(json.loads(held)["time"]) < STALE:
            raise StoreBusyError(_busy(folder, held))
        folder.remove(LOCK_FILE)
        if not folder.publish_new(LOCK_FILE, _holder()):
            raise StoreBusyError(_busy(folder, folder.read(LOCK_FILE)))
    done = threading.Event()
    beat = threading.Thread(target=_beat, args=(folder, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
        folder.remove(LOCK_FILE)


def _beat(folder: Folder, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT):
        folder.publish(LOCK_FILE, _holder())


def _holder() -> bytes:
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}).encode()


def _busy(store: object, held: bytes) -> str:
    try:
        holder = json.loads(held)
        who = f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError):
        who = "another process"
    return f"{store} is being written by {who}: wait for it, or stop it and run the command again to resume"
