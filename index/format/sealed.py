"""The small JSON files of what is built from a store: `ann.json`, `knn.json`, `atlas.json`, `sample.json`.

Each holds a digest of all else that it says, so that a changed byte in its settings is seen, and not only one in the
files that it names. `digest` is the SHA-256 of the other keys as JSON with sorted keys and no spaces; `sealed` tells
that there is one. Files of earlier releases have neither. A digest finds damage; it does not tell who wrote the file.
"""

import hashlib
import json
from typing import Any

from ..storage.damaged import damaged, reading

_SEAL, _DIGEST = "sealed", "digest"


def sealed(content: dict[str, Any]) -> bytes:
    """Return the file for these settings."""
    content = json.loads(json.dumps({**content, _SEAL: True}))  # as a reader will have it: keys are strings
    return json.dumps(content | {_DIGEST: _digest_of(content)}, indent=1).encode()


def unsealed(data: bytes, where: str, remedy: str = "") -> dict[str, Any]:
    """Return the settings in such a file, its seal left out.

    where: the file, as messages name it. Raises StoreDamagedError where it is not a JSON object, or changed.
    """
    with reading(where, remedy):
        try:
            content: Any = json.loads(data)
        except ValueError as error:
            raise damaged(where, f"it is not JSON: {error}", remedy) from error
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__}, not an object")
        digest = content.pop(_DIGEST, None)
        if (digest is not None or _SEAL in content) and digest != _digest_of(content):
            raise damaged(where, "its settings are not those that it was written with", remedy)
        content.pop(_SEAL, None)
        return content


def _digest_of(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
