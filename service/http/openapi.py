"""What the OpenAPI document says beyond what FastAPI reads from the routes: problems, and tables as Arrow."""

from collections.abc import Iterator
from typing import Any

from ..errors import MEDIA_TYPE, Problem
from ..schemas import arrow as arrow_answers
from ..schemas.stores import Table

_JSON = "application/json"
_ARROW: dict[str, Any] = {
    "schema": {"type": "string", "format": "binary"},
    "description": "an Arrow IPC stream: the rows; everything else is JSON in the schema's metadata, under `unitscope`",
}
_NO_TABLE: dict[str, Any] = {
    "description": "nothing but Arrow is accepted, and the answer is no table",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def complete(document: dict[str, Any]) -> None:
    """Adds what is missing; a document that is complete stays as it is."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    tables = {answer.__name__ for answer in _tables(Table)}
    for path, operation in _operations(document):
        content = operation["responses"].get("200", {}).get("content", {})
        if not path.startswith("/api/") or _JSON not in content:
            continue
        if content[_JSON]["schema"].get("$ref", "").rpartition("/")[2] in tables:
            content[arrow_answers.MEDIA_TYPE] = _ARROW
        else:
            operation["responses"]["406"] = _NO_TABLE


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _tables(answer: type[Table]) -> Iterator[type[Table]]:
    """The answers that are tables, of those that this process has."""
    yield answer
    for narrower in answer.__subclasses__():
        yield from _tables(narrower)
