"""What the service and its model worker say to each other over a socket.

A message is two big-endian 32-bit lengths, a JSON object and bytes. The service sends one request at a time and reads
one answer. A request has `op` and `model` (see `model_spec.py`); an answer has `error` (a key of what the client
raises) and `message` where it failed.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

Head = dict[str, Any]
_LENGTHS = struct.Struct(">II")

UNAVAILABLE = "unavailable"
"""The model cannot be had: its weights or code are not there, or it failed on its own."""
CHANGED = "changed"
"""The model that is there is not the one that was swept."""
IMAGE = "image"
REQUEST = "request"
REFUSED = "refused"
"""What was asked for does not exist in this model: filters of a layer without any."""


@dataclass(frozen=True)
class Message:
    """One request or answer."""

    head: Head
    body: bytes = b""


def write(stream: BinaryIO, message: Message) -> None:
    """Send a message. Raises OSError where the other side is gone."""
    head = json.dumps(message.head).encode()
    stream.write(_LENGTHS.pack(len(head), len(message.body)) + head)
    stream.write(message.body)
    stream.flush()


def read(stream: BinaryIO) -> Message | None:
    """Return the next message, None at the end or in the middle of one: the other side is gone."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_bytes, body_bytes = _LENGTHS.unpack(lengths)
    head, body = stream.read(head_bytes), stream.read(body_bytes)
    if len(head) < head_bytes or len(body) < body_bytes:
        return None
    return Message(json.loads(head), body)
