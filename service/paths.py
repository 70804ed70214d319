"""The end of a class's address, the same in the API and the pages: a label may be anything, an address may not."""

from urllib.parse import quote

_STEPS = ("", ".", "..")
"""At the end of a path these are taken for a way through folders, encoded or not (RFC 3986 §6.2.2.3)."""


def class_address(label: str) -> str:
    """Return `classes/cat`; of a label that cannot be the last part of a path `class?label=..`."""
    if label in _STEPS:
        return f"class?label={label}"
    return f"classes/{quote(label, safe='')}"
