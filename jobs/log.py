"""The log beside the manifest: times and hosts, which are not part of the store's content. One JSON object a line."""

import json
import logging
import os
import socket
import time
from pathlib import Path
from typing import Any

from ..common.errors import StorageError
from ..index.storage.folder import Folder

LOG_FILE = "log.jsonl"

_log = logging.getLogger(__name__)


class Log:
    """Appends lines to the store's log; on a bucket, which cannot append, the lines of this run go up at its end."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._path = folder.local_path(LOG_FILE)
        self._lines: list[str] = []

    def __enter__(self) -> "Log":
        self.write("started", host=socket.gethostname(), pid=os.getpid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: object
    ) -> None:
        try:
            self.write("ended", error=str(error) if error is not None else None)
            if self._path is None:
                old = self._folder.read(LOG_FILE) if self._folder.exists(LOG_FILE) else b""
                self._folder.publish(LOG_FILE, old + "".join(self._lines).encode())
        except StorageError as failed:
            if error is None:
                raise
            _log.warning("%s", failed)  # what ended the run is what the user must read

    def write(self, event: str, **facts: Any) -> None:
        """Write one line: the time, the event, its facts. Raises StorageError."""
        line = json.dumps({"time": round(time.time(), 3), "event": event} | facts) + "\n"
        path = self._path
        if path is None:
            self._lines.append(line)
        else:
            self._folder.attempt(LOG_FILE, lambda: _append(path, line))


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(line)
