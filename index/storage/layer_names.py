"""Names of layers as names of folders: `/`, control characters and the like are percent-encoded, all else stays."""

import hashlib
import re
from urllib.parse import unquote

_UNSAFE = re.compile(r"^\.|[\x00-\x1f\x7f-\x9f/\\]|%(?=[0-9A-Fa-f]{2})")
_LONGEST = 200
"""Bytes of a folder's name in UTF-8: file systems take 255, and a temporary file's name is longer than its own."""


def folder_name(layer: str) -> str:
    """Return the name of a layer's folder: `conv1/7x7` is `conv1%2F7x7`, and `features.10` itself.

    Different layers have different folders. A name that is too long for a file system is cut, and a hash of it added.
    """
    name = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), layer)
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    digest = hashlib.sha256(layer.encode()).hexdigest()[:32]
    return f"{encoded[: _LONGEST - 40].decode(errors='ignore')}%~{digest}"


def layer_name(folder: str) -> str:
    """Return the layer whose folder has this name; of one that was cut, the folder's name."""
    return folder if "%~" in folder else unquote(folder)
