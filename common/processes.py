"""Lists and ends processes of this machine by descent and by session.

A process that is started with `start_new_session=True` leads a session; whatever it starts belongs to the session too,
also when its parent has died. So `end_session(pid)` leaves nothing behind.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KILL_SECONDS = 10.0
"""How long killed processes may take to vanish (one that waits for a disk takes its time)."""
PAUSE = 0.05

led: dict[int, Path | None] = {}
"""Sessions that children of this process lead, each with the temporary folder that goes with it, if any."""


@dataclass(frozen=True)
class Process:
    """One running process; those that ended and were not collected by their parent are left out."""

    pid: int
    parent: int
    session: int
    name: str


def processes() -> list[Process]:
    """Return the processes of this machine, from /proc where there is one, otherwise from `ps`."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return _from_ps()
    found = (process_of(int(entry.name)) for entry in proc.iterdir() if entry.name.isdigit())
    return [one for one in found if one is not None]


def process_of(pid: int) -> Process | None:
    """Return the process with this number, read from /proc, or None where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")  # a name may hold parentheses
    state, parent, _, session = rest.split()[:4]
    return None if state in "ZX" else Process(pid, int(parent), int(session), name)


def _from_ps() -> list[Process]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,comm="], capture_output=True, text=True, check=False
    )
    found: list[Process] = []
    for line in listed.stdout.splitlines():
        pid, parent, state, name = line.split(None, 3)
        with suppress(OSError):
            if not state.startswith("Z"):
                session = os.getsid(int(pid))
                found.append(Process(int(pid), int(parent), session, Path(name).name))
    return found


def in_session(session: int) -> list[Process]:
    """Return the running processes of the session that process `session` leads or led."""
    return [one for one in processes() if one.session == session]


def descendants(pid: int) -> list[int]:
    """Return the numbers of the processes that `pid` and its children started, however deep."""
    children: dict[int, list[int]] = {}
    for one in processes():
        children.setdefault(one.parent, []).append(one.pid)
    found: list[int] = []
    left = children.get(pid, [])
    while left:
        found += left
        left = [child for parent in left for child in children.get(parent, [])]
    return found


def kill(pids: Iterable[int]) -> None:
    """Send SIGKILL to each of these processes that is still there."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def end_children() -> None:
    """Kill all that this process started, and remove the temporary folders of its sessions."""
    for session, folder in list(led.items()):
        end_session(session)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    kill(descendants(os.getpid()))


def end_session(session: int, *, but: int | None = None) -> None:
    """Kill every process of a session, except `but`, and wait until they are gone."""
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        left = [one.pid for one in in_session(session) if one.pid != but]
        if not left:
            return
        kill(left)
        time.sleep(PAUSE)
