"""What the service and its model worker say to each other over the worker's standard input and output.

A message is two big-endian 32-bit lengths, a JSON object and bytes. The service sends one request at a time and reads
one answer. A request has `op` and `model` (see `model_facts`); an answer has `error` (a key of what the client raises)
and `message` where it failed.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from ...common.errors import StoreDamagedError
from ...index.manifest import Manifest

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
    """Sends a message. Raises OSError where the other side is gone."""
    head = json.dumps(message.head).encode()
    stream.write(_LENGTHS.pack(len(head), len(message.body)) + head)
    stream.write(message.body)
    stream.flush()


def read(stream: BinaryIO) -> Message | None:
    """The next message, None at the end or in the middle of one: the other side is gone."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head_bytes, body_bytes = _LENGTHS.unpack(lengths)
    head, body = stream.read(head_bytes), stream.read(body_bytes)
    if len(head) < head_bytes or len(body) < body_bytes:
        return None
    return Message(json.loads(head), body)


def model_facts(manifest: Manifest) -> Head:
    """What the worker must know of a store to load its model, and to tell whether it is the same and computes alike.

    Raises StoreDamagedError for a manifest that does not say it.
    """
    try:
        return _model_facts(manifest)
    except KeyError as error:
        raise StoreDamagedError(
            f"the manifest of this store does not say {error} of the model, so that the network cannot be asked: it is "
            "damaged or of another release; sweep again into a new folder"
        ) from error


def _model_facts(manifest: Manifest) -> Head:
    model = manifest.model
    return {
        "spec": model["spec"],
        "weights": model.get("weights_file"),
        "weights_fingerprint": manifest.fingerprints["weights"],
        "preprocessing_fingerprint": manifest.fingerprints["preprocessing"],
        "feature": model["feature"],
        "swept_by": {
            "device": manifest.options.get("device"),
            "precision": manifest.options.get("precision"),
            "torch": manifest.software.get("torch"),
            **manifest.machine,
        },
    }
