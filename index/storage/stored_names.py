"""The one check for every name that comes out of a store: of its files, layers' folders, tables and tiles.

A store may be somebody else's: a name in it is data, and must not lead to a file outside its folder.
"""

from typing import Any

from ...common.errors import StoreDamagedError

_LONGEST = 4096
_SHOWN = 120


def is_inside(name: str) -> bool:
    """Return whether this is a relative POSIX path without `.`, `..`, empty components and NUL."""
    return (
        "\0" not in name
        and len(name) <= _LONGEST
        and not any(component in {"", ".", ".."} for component in name.split("/"))
    )


def check_stored_name(name: Any, said_by: str) -> str:
    """Return the name. Raises StoreDamagedError where it is none, or would lead outside the store's folder.

    said_by: the file of the store that holds the name.
    """
    if isinstance(name, str) and is_inside(name):
        return name
    raise StoreDamagedError(
        f"store damaged: {said_by} names {str(name)[:_SHOWN]!r}, which is no file of the store: its names are relative "
        "paths without '..'. Do not trust this store; get it again from where it was made"
    )
