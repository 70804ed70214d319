"""What the OpenAPI document says beyond what FastAPI reads from the routes: problems, and tables as Arrow."""

from collections.abc import Iterator
from typing import Any

from . import arrow_answers
from .problems import MEDIA_TYPE, Problem

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
    for path, operation in _operations(document):
        content = operation["responses"].get("200", {}).get("content", {})
        if not path.startswith("/api/") or _JSON not in content:
            continue
        name = content[_JSON]["schema"].get("$ref", "").rpartition("/")[2]
        if _is_table(schemas.get(name, {})):
            content[arrow_answers.MEDIA_TYPE] = _ARROW
        else:
            operation["responses"]["406"] = _NO_TABLE


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _is_table(schema: dict[str, Any]) -> bool:
    """As `arrow_answers.rows_field`, of the schema of an answer: it has one list of objects."""
    fields = schema.get("properties", {}).values()
    return sum(field.get("type") == "array" and "$ref" in field.get("items", {}) for field in fields) == 1
