"""Builds an atlas again and again, killed at one write after another: a script that `killing` starts.

A write is one commit of a file, in this process or in one that the build starts; both then die. Odd writes are killed
after the file has got its name, even ones before. It says each write and how the build ended, and goes on at a line.
"""

import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unitscope.index.format.manifest import Manifest
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.local import LocalFiles
from unitscope.index.verify.derived import check_built

BUILT = ("ann", "knn", "atlas", "by_layer")
COUNTER, LAST = "UNITSCOPE_TEST_WRITES", "UNITSCOPE_TEST_LAST_WRITE"


def files(store: str) -> dict[str, str]:
    """What every file of the derived folders holds, leftovers too; of an index's manifest, which has times, nothing."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in (*BUILT, ".work")
        for path in sorted(Path(store, folder).rglob("*"))
        if path.is_file() and path.name != "ann.json"
    }


def damaged(store: str) -> list[str]:
    """What is there, says that it is whole, and is not."""
    folder = Folder(store)
    return [f"{one.path} {one.what}" for one in check_built(folder, Manifest.read(folder).hash) if one.what]


@contextmanager
def killing(
    store: str, function: str, *arguments: Any, anew: bool = False, writes: Sequence[int] = (), **options: Any
) -> Iterator[Iterator[int]]:
    """The writes at which a build was killed, each as it has happened, until one is not killed.

    function: `module:name`; options: a MapOptions' own under `map`. anew: each run starts with nothing. writes: only
    these, and then none.
    """
    asked = {"function": function, "arguments": [store, *arguments], "anew": anew, "writes": list(writes)}
    asked["options"] = options
    with subprocess.Popen(
        [sys.executable, "-P", __file__, json.dumps(asked)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as runs:  # fmt: skip
        assert runs.stdin is not None and runs.stdout is not None
        yield _kills(runs)
        told = runs.communicate()[1]
    assert runs.returncode == 0, told


def _kills(runs: subprocess.Popen[str]) -> Iterator[int]:
    for line in runs.stdout:
        write, status = map(int, line.split())
        if status != signal.SIGKILL:
            assert status == 0
            return
        yield write
        runs.stdin.write("\n")
        runs.stdin.flush()


_commit, _lock = LocalFiles.commit, threading.Lock()


def _write(*arguments: Any, **options: Any) -> bool:
    with _lock, Path(os.environ[COUNTER]).open("ab") as counter:
        counter.write(b".")
        done = counter.tell()
    if done < int(os.environ[LAST]):
        return _commit(*arguments, **options)
    if done % 2:
        _commit(*arguments, **options)
    if __name__ != "__main__":  # a process that the build started
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def _runs(asked: dict[str, Any]) -> None:
    from unitscope.index.projection.projection import MapOptions

    module, _, name = asked["function"].partition(":")
    build = getattr(importlib.import_module(module), name)
    store, given = asked["arguments"][0], asked["options"]
    options = MapOptions(**given.pop("map"))
    for write in [*asked["writes"], 10_000] if asked["writes"] else range(1, 200):
        counter = Path(store, ".writes")
        counter.unlink(missing_ok=True)
        os.environ |= {COUNTER: str(counter), LAST: str(write)}
        child = os.fork()
        if not child:
            for made in BUILT if asked["anew"] else ():
                shutil.rmtree(Path(store, made), ignore_errors=True)
            build(*asked["arguments"], options, **given)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        counter.unlink(missing_ok=True)
        print(write, status, flush=True)
        if status != signal.SIGKILL:
            return
        sys.stdin.readline()


if COUNTER in os.environ:  # in a process that the build started
    LocalFiles.commit = _write
elif __name__ == "__main__":
    LocalFiles.commit = _write
    _runs(json.loads(sys.argv[1]))
