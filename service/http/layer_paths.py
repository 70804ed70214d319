"""Layers in addresses, and the atlases named after them: a layer's name may hold any character, slashes too
(`conv1/7x7_s2`, as converters leave them).

In an address such a slash is `%2F`. The server decodes a path before it is routed, so `LayerPaths` looks at the path as
it was sent and marks those slashes of a name, and where a proxy has decoded them, those that no route has; the `layer`
convertor of the routes makes them slashes again.
"""

import re
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_LAYER = 2000
"""Characters of a layer's name in an address."""
_MARK = "\ufdd0"
"""A slash within a name: a character that Unicode reserves for a program's own use, so no name has it."""
_BEFORE = r"(?:/api/v1)?/stores/[^/]+/(?:layers|units|atlas|atlases|images/[0-9]+/maps)/"
_SENT = re.compile(rf"({_BEFORE})([^/]*%2[5Ff][^/]*)((?:/.*)?)".encode(), re.DOTALL)
_DECODED = re.compile(rf"({_BEFORE})([^/]+/.*[^/])", re.DOTALL)
_AFTER = {
    "/api": re.compile(r"(.+?)(/(?:units|filters)(?:/.*)?|/facts|/array|)", re.DOTALL),
    "units": re.compile(r"(.+)(/[^/]+)", re.DOTALL),
    "layers": re.compile(r"(.+)()", re.DOTALL),
    "atlas": re.compile(r"(.+?)(/(?:at|region|legend)|)", re.DOTALL),
    "atlases": re.compile(
        r"(.+?)(/(?:grid|at|where|clusters|extent)|/(?:tiles|samples|overlays|region)(?:/.*)?|)", re.DOTALL
    ),
}
"""Of what follows: a layer's name, and the rest of the path."""


class LayerConvertor(Convertor[str]):
    """`{layer:layer}`: a part of a path in which slashes are marked."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Return the layer's name."""
        return plain_name(value)

    def to_string(self, value: str) -> str:
        """Return the part of a decoded path."""
        return value


class LabelConvertor(Convertor[str]):
    """`{label:label}`: the rest of a path, whatever it holds, line breaks too."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Return the label."""
        return value

    def to_string(self, value: str) -> str:
        """Return the part of a decoded path."""
        return value


register_url_convertor("layer", LayerConvertor())
register_url_convertor("label", LabelConvertor())


class LayerPaths:
    """Mark the slashes of layers' names in the paths that the routes inside are given."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or "/stores/" not in scope["path"] or scope.get("root_path"):
            await self.app(scope, receive, send)
            return
        given = scope["path"]
        scope["path"] = _marked(given, scope.get("raw_path") or b"")
        try:
            await self.app(scope, receive, send)
        finally:
            scope["path"] = given


def _marked(path: str, sent: bytes) -> str:
    """Return a decoded path with the slashes of a layer's name marked. sent: the path as it came."""
    escaped = b"%2" in sent
    if not escaped and _is_usual(path):
        return path
    found = _SENT.fullmatch(sent) if escaped else None
    if found is not None:
        before, name, after = (part.decode("latin-1") for part in found.groups())
        return f"{unquote(before)}{unquote(re.sub('%2[Ff]', _MARK, name))}{unquote(after)}"
    parted = _DECODED.fullmatch(path)
    if parted is None:
        return path
    before, rest = parted.groups()
    kind = before.split("/")[-2]
    if kind not in ("atlas", "atlases") and before.startswith("/api"):
        kind = "/api"
    named = _AFTER[kind].fullmatch(rest)
    return f"{before}{named[1].replace('/', _MARK)}{named[2]}" if named else path


def _is_usual(path: str) -> bool:
    """Return whether a path is `/api/v1/stores/S/layers/L/units/…` with a name L without slashes: most are."""
    parts = path.split("/", 8)
    return len(parts) > 7 and parts[1] == "api" and parts[5] == "layers" and parts[7] == "units"


def plain_name(value: str) -> str:
    """Return a layer's name as it is, from a part of a path that `LayerPaths` may have marked."""
    return value.replace(_MARK, "/")


def plain_path(path: str) -> str:
    """Return a path as it is shown to a person, with slashes."""
    return path.replace(_MARK, "/")


def template(path: str) -> str:
    """Return a route's template without its convertors of layers and labels, as metrics and documents have it."""
    return path.replace(":layer}", "}").replace(":label}", "}")
