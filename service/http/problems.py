"""problem+json (RFC 9457): errors for programs."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

from ..errors import MEDIA_TYPE, PREFIX, Problem


def problem(
    status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a problem+json response."""
    content = Problem(type=f"{PREFIX}{kind}", title=title, status=status, detail=detail)
    return JSONResponse(content.model_dump(), status, headers, MEDIA_TYPE)
