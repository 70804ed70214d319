"""What the service writes on stderr: a line for each request where that is asked for, and every failure in any case.

As JSON each line is one object: `time` (UTC), `level`, `message`, and what the event is about: for a request its id,
method, route, path, status and milliseconds; for a failure the traceback too.
"""

import json
import logging
import random
import re
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

Form = Literal["json", "text", "off"]
"""`json` and `text`: a line for each request; `off`: failures only, as text."""

REQUESTS = logging.getLogger("unitscope.requests")
EVENTS = logging.getLogger("unitscope.service")
_FIELDS = "unitscope"
"""The attribute of a log record that holds what the event is about."""
_IDS = random.Random(secrets.randbits(128))
_MALFORMED = ("Invalid HTTP request", "Unsupported upgrade", "No supported WebSocket")
_SANE_ID = re.compile(rb"[\w.:+/=@-]{1,128}", re.ASCII)


def configure(form: Form) -> None:
    """Send this process's log to stderr. Called once, by whoever runs the process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(form == "json")
    REQUESTS.setLevel(logging.ERROR if form == "off" else logging.INFO)
    EVENTS.setLevel(logging.INFO if form == "json" else logging.WARNING)


def ignore_malformed_requests() -> None:
    """Keep what the server writes of each malformed request out of the log: strangers would fill it."""
    logging.getLogger("uvicorn.error").addFilter(_is_own)


def _is_own(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_MALFORMED)


def request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """Return X-Request-ID where it is short and plain, a new one otherwise."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return value.decode()
    return f"{_IDS.getrandbits(64):016x}"


def answered(fields: Callable[[], dict[str, object]], error: Exception | None = None) -> None:
    """Log that a request was answered; `error`: what its answer failed with. fields: called where there is a line to
    write.
    """
    level = logging.INFO if error is None else logging.ERROR
    if REQUESTS.isEnabledFor(level):
        said = "answered" if error is None else "failed"
        REQUESTS.log(level, said, exc_info=error, extra={_FIELDS: fields()})


def happened(message: str, **fields: object) -> None:
    """Log something that is not a request, for the log as JSON."""
    EVENTS.info(message, extra={_FIELDS: fields})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "seconds")
        fields: dict[str, object] = getattr(record, _FIELDS, {})
        said = " ".join(f"{name}={quote(str(value), safe=_READABLE)}" for name, value in fields.items())
        line = f"{time} {record.levelname.lower()} {record.getMessage()} {said}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


_READABLE = "/:{}@+,;="
"""Beside letters and digits; what is not readable could end the line and begin a forged one."""
