"""The process that drives Ray for the command: serves its messages until it says `end`, or ends.

Started by `driver.py` as `python -m unitscope.jobs.ray.main DESCRIPTOR`.
"""

import os
import pickle
import shutil
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from ...common.errors import SweepError, UnitscopeError
from ...common.processes import end_session
from .actors import Workers
from .cluster import LostError, NoTokenError, check_resources, first_line, start
from .job import RayJob


def _serve(job: RayJob, folder: str | None, connection: Connection) -> None:
    """Do what the command asks for, until it says `end`."""
    start(job, folder)
    check_resources(job)
    workers = Workers(job, connection)
    workers.send("started")
    while (message := connection.recv())[0] != "end":
        if message[0] == "prepare":
            workers.prepare()
            workers.send("prepared")
        else:
            workers.map(*message[1:])
            workers.send("mapped")
    workers.close()
    ray.shutdown()


def _report(error: Exception) -> tuple[Any, ...]:
    """Return the message that tells the command of an error."""
    if isinstance(error, NoTokenError):
        return ("no-token",)
    if isinstance(error, LostError):
        return "lost", str(error)
    if isinstance(error, UnitscopeError):
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001 - an exception of a user's own class, say
            return "error", SweepError(str(error))
        return "error", error
    if isinstance(error, RayError) and not isinstance(error, RayTaskError | RayActorError):
        return "lost", first_line(error)
    return "bug", "".join(traceback.format_exception(error))


def _end_with(folder: str | None) -> None:
    """End everything as soon as the command has ended, in whatever way: then its end of stdin closes."""
    while os.read(0, 1):
        pass
    if os.getsid(0) == os.getpid():
        end_session(os.getpid(), but=os.getpid())
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """Serve the command at the other end of the connection whose descriptor is the first argument."""
    connection = Connection(int(sys.argv[1]))
    connection.send(("alive",))  # Ray is imported
    job, folder = connection.recv()
    threading.Thread(target=_end_with, args=(folder,), daemon=True).start()
    try:
        _serve(job, folder, connection)
    except EOFError:  # the command has ended
        return
    except Exception as error:  # noqa: BLE001 - the command shows it
        connection.send(_report(error))
        while True:  # until the command ends this process
            time.sleep(60)


if __name__ == "__main__":
    main()
