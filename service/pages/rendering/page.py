"""How pages are made: the templates, how they write numbers and addresses, and the style sheet's version."""

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from . import urls as page_addresses
from .compiled_templates import compiled_before

FOLDER = Path(__file__).parent.parent.parent
STATIC = FOLDER / "static"
templates = Jinja2Templates(FOLDER / "templates")
_SHORT = 48
"""Letters of a name below a picture."""
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for people: `digits` significant digits, thousands apart; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if 0 < abs(value) < 10.0**-digits:
        return f"{value:.{digits - 1}e}"
    text = f"{value:#,.{digits}g}" if abs(value) < 10**digits - 0.5 else f"{value:,.0f}"
    return text.rstrip(".")


def percent(share: float | None) -> str:
    """Return a share as a percentage with one decimal; 0 and 100 only where it is none or all."""
    if share is None:
        return "–"
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        return "> 99.9 %"
    if text == "0.0" and share > 0:
        return "< 0.1 %"
    return f"{text} %"


def ordinal(rank: int) -> str:
    """Return 3rd, 11th, 1,002nd."""
    ending = "th" if rank % 100 in (11, 12, 13) else _ENDINGS.get(rank % 10, "th")
    return f"{rank:,}{ending}"


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return 1 image, 2 images."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """Return a message as a sentence: its first letter large, a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def named(label: str) -> str:
    """Return a label as a name that can be seen."""
    return label if label.strip() else "(empty label)"


def short(name: str) -> str:
    """Return a name of any length, for below a picture; the whole of it belongs beside, as a title."""
    return name if len(name) <= _SHORT else f"{name[: _SHORT - 1].rstrip()}…"


def signed(value: float) -> str:
    """Return one decimal with its sign; 0 has none."""
    text = f"{value:+.1f}"
    return text[1:] if text in ("+0.0", "-0.0") else text


def data_uri(picture: tuple[bytes, str]) -> str:
    """Return a picture as an address that holds it: for what was made for this page alone."""
    data, kind = picture
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def page(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page for people. It is never kept by the browser: its pictures are."""
    response = templates.TemplateResponse(request, name, values, status_code=status)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _digest(folder: Path) -> str:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


_FILTERS = (number, percent, ordinal, counted, sentence, named, short, signed, data_uri)
_ADDRESSES = (
    page_addresses.store_url,
    page_addresses.layer_url,
    page_addresses.unit_url,
    page_addresses.image_url,
    page_addresses.images_url,
    page_addresses.atlas_url,
    page_addresses.region_url,
    page_addresses.class_url,
    page_addresses.neighbors_url,
    page_addresses.label_is,
    page_addresses.taken_for,
    page_addresses.changed,
)
_filters: dict[str, Any] = templates.env.filters
_filters |= {function.__name__: function for function in _FILTERS}
_filters["part"] = lambda text: quote(str(text), safe="")  # pyright: ignore[reportUnknownLambdaType]
_globals: dict[str, Any] = templates.env.globals
_globals |= {function.__name__: function for function in _ADDRESSES}
STATIC_VERSION = _digest(STATIC)
_globals["static_version"] = STATIC_VERSION
_globals["scripts"] = {path.name for path in (STATIC / "build").glob("*.js")}
templates.env.trim_blocks = True
templates.env.lstrip_blocks = True
templates.env.bytecode_cache = compiled_before()
for _name in templates.env.list_templates():
    templates.env.get_template(_name)  # compiled now: no page waits for it
