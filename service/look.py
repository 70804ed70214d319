"""How pages are made: the templates, how they write numbers and addresses, and the style sheet's version."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
templates = Jinja2Templates(FOLDER / "templates")


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: `digits` significant digits, thousands apart; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if 0 < abs(value) < 10.0**-digits:
        return f"{value:.{digits - 1}e}"
    text = f"{value:#,.{digits}g}" if abs(value) < 10**digits - 0.5 else f"{value:,.0f}"
    return text.rstrip(".")


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; 0 and 100 only where it is none or all."""
    if share is None:
        return "–"
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        return "> 99.9 %"
    if text == "0.0" and share > 0:
        return "< 0.1 %"
    return f"{text} %"


def page(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for people. It is never kept by the browser: its pictures are."""
    response = templates.TemplateResponse(request, name, values, status_code=status)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _digest(folder: Path) -> str:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


templates.env.filters["number"] = number
templates.env.filters["percent"] = percent
templates.env.filters["part"] = lambda text: quote(str(text), safe="")  # pyright: ignore[reportUnknownLambdaType]
_globals: dict[str, Any] = templates.env.globals
_globals["static_version"] = _digest(STATIC)
_globals["scripts"] = {path.name for path in (STATIC / "build").glob("*.js")}
templates.env.trim_blocks = True
templates.env.lstrip_blocks = True
