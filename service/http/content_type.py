"""Reads the Accept header (RFC 9110 §12.5.1): how much a client wants a media type."""


def quality(accept: str, media_type: str) -> float:
    """Return 0 (not acceptable) to 1; the narrowest range that fits counts. An empty header accepts everything.

    Parameters of a range other than `q` are not looked at, and a range that cannot be read is as if it were not there.
    """
    if not accept.strip():
        return 1.0
    family = media_type.partition("/")[0]
    fits = {media_type: 3, f"{family}/*": 2, "*/*": 1}
    best = (0, 0.0)
    for one in accept.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        weight = _weight(parameters)
        if name in fits and weight is not None:
            best = max(best, (fits[name], weight))
    return best[1]


def _weight(parameters: list[str]) -> float | None:
    """Return the value of `q`, 1 without one, None for one that is not between 0 and 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            digits = value.strip()
            if not digits.isascii() or not digits.replace(".", "", 1).isdigit():
                return None
            weight = float(digits)
            return weight if weight <= 1 else None
    return 1.0
