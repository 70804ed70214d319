"""The known names that are closest to a misspelt one, for messages that say what may be meant."""

import difflib
from collections.abc import Iterable

_LETTERS = 200
"""Of a name that are compared: it may be as long as whoever sends it likes."""


def closest(
    name: str, known: Iterable[str], *, n: int = 3, cutoff: float = 0.6, any_case: bool = False
) -> list[str]:
    """Return up to n of the known names, the closest first; none where no ratio of difflib is at least `cutoff`.

    any_case: whether capital letters count as small ones.
    """
    if not any_case:
        return difflib.get_close_matches(name[:_LETTERS], list(known), n, cutoff)
    lowered = {each.lower(): each for each in known}
    return [
        lowered[match] for match in difflib.get_close_matches(name[:_LETTERS].lower(), lowered, n, cutoff)
    ]
