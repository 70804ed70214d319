"""What the OpenAPI document says beyond what FastAPI reads from the routes: problems, and tables as Arrow."""

from collections.abc import Iterator
from typing import Any

from ..errors import MEDIA_TYPE, Problem
from ..schemas import arrow as arrow_answers
from ..schemas.base import Table

_JSON = "application/json"
_ARROW: dict[str, Any] = {
    "schema": {"type": "string", "format": "binary"},
    "description": "an Arrow IPC stream: the rows; everything else is JSON in the schema's metadata, under `unitscope`",
}
_NO_TABLE: dict[str, Any] = {
    "description": "nothing but Arrow is accepted, and the answer is not a table",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def complete(document: dict[str, Any]) -> None:
    """Add what is missing; a document that is complete stays as it is."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    tables = {answer.__name__ for answer in _tables(Table)}
    for path, operation in _operations(document):
        content = operation["responses"].get("200", {}).get("content", {})
        if not path.startswith("/api/") or _JSON not in content:
            continue
        schema = content[_JSON]["schema"]
        if all(one.get("$ref", "").rpartition("/")[2] in tables for one in schema.get("anyOf", [schema])):
            content[arrow_answers.MEDIA_TYPE] = _ARROW
        else:
            operation["responses"]["406"] = _NO_TABLE


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _tables(answer: type[Table]) -> Iterator[type[Table]]:
    """Yield the answers that are tables, of those that this process has."""
    yield answer
    for narrower in answer.__subclasses__():
        yield from _tables(narrower)


_WORDS = {
    400: "the request's body is not JSON",
    403: "the request names another host",
    404: "no such store, layer, unit, image, index or atlas",
    409: "the store cannot answer, or the image has changed since the sweep",
    410: "the image, or its dataset, is not there any more",
    413: "the request's body is too large",
    422: "a parameter is out of its range, or the filter cannot be read",
    503: "the store cannot be read now, or is damaged",
}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the problem+json answers of a route, for the OpenAPI document."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": _WORDS[code], "content": content} for code in codes}


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "what If-None-Match names is still right"}
}


TABLE = problems(403, 404, 409, 422, 503) | NOT_MODIFIED


def pictures(
    *kinds: str, codes: tuple[int, ...] = (403, 404, 409, 422, 503)
) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route that gives pixels."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    found = {200: {"description": "the picture", "content": dict.fromkeys(kinds, schema)}}
    return found | problems(*codes) | NOT_MODIFIED
