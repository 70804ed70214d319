"""Cursors: where the next page of a list begins. Each belongs to one question and one version of the store."""

import hashlib

from ...common.errors import UsageError
from ..stores.registry import ServedStore

CURSOR_PATTERN = r"^[0-9]{1,12}-[0-9a-f]{12}$"


def page_of(
    served: ServedStore, question: tuple[object, ...], cursor: str | None, limit: int, rows: int
) -> tuple[slice, str | None]:
    """Return the rows of a page, and the cursor of the page after it; None at the end.

    question: everything but the cursor that says which rows the list has, and in which order. Raises UsageError for
    the cursor of another question or of another version: its pages would not join to a list.
    """
    asked = repr((served.hash, *question)).encode()
    digest = hashlib.sha256(asked).hexdigest()[:12]
    first = 0
    if cursor is not None:
        place, _, of = cursor.partition("-")
        if of != digest:
            raise UsageError(
                f"cursor={cursor!r} belongs to another list, or to an earlier version of this store: begin again "
                "without a cursor, and keep everything but the cursor the same from page to page"
            )
        first = int(place)
    stop = first + limit
    return slice(first, stop), f"{stop}-{digest}" if stop < rows else None
