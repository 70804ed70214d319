"""Calls of the client's methods, generated from their signatures, and the operations of the API that they reach."""

import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import count
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
from unitscope.index.analysis.classes import ClassSort
from unitscope.index.analysis.images import ImageSort
from unitscope.index.analysis.units import UnitSort
from unitscope.service.client import Client, Pages, ServiceError
from unitscope.service.client.endpoint import asks, lists
from unitscope.service.client.requests import Box, Corners, ImageLike
from unitscope.service.client.store_endpoints import ServiceQuestions, StoreQuestions

SORTS = {"ClassSort": ClassSort, "ImageSort": ImageSort, "UnitSort": UnitSort}
CORNERS = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0)]
STORE = "a store"

EXAMPLES: list[tuple[Any, Any]] = [
    (Corners, CORNERS),
    (Box, (1, 2, 30, 40)),
    (ImageLike, b"an image"),
    (Sequence[float] | np.ndarray, [1.0, 2.0]),
    (bool, True),
]
"""Arguments of a type, wherever it stands."""

# Parameters of the API under the names that they have in the client.
NAMES = {"atlas": "name", "column_of_tile": "column", "image": "image_id", "region": "corners"}


@dataclass(frozen=True)
class Operation:
    """One method of one address of the OpenAPI document."""

    method: str
    path: str
    query: frozenset[str]
    required: frozenset[str]

    def match(self, request: httpx.Request) -> dict[str, str] | None:
        """The parts of a request's path by the parameters of this one; None for a request of another."""
        pattern = re.sub(r"\\{(\w+)(:path)?\\}", r"(?P<\1>[^/]+?)", re.escape(self.path))
        path = request.url.raw_path.decode().partition("?")[0]
        found = re.fullmatch(pattern, path) if request.method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


def operations(document: dict[str, Any]) -> list[Operation]:
    """Those below /api; those with the fewest parameters in their paths first."""
    found = [
        Operation(
            method.upper(),
            path,
            frozenset(one["name"] for one in of_query(operation)),
            frozenset(one["name"] for one in of_query(operation) if one["required"]),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/")
    ]
    return sorted(found, key=lambda operation: operation.path.count("{"))


def of_query(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in operation.get("parameters", []) if one["in"] == "query"]


@dataclass(frozen=True)
class Call:
    """What a method was called with, and the request that it made."""

    arguments: dict[str, Any]
    request: httpx.Request

    def value(self, parameter: str) -> Any:
        """The argument that a parameter of the API was sent with."""
        renamed = {name: self.arguments[own] for name, own in NAMES.items() if own in self.arguments}
        coloring = vars(self.arguments["coloring"]) if "coloring" in self.arguments else {}
        return {"store": STORE, **self.arguments, **renamed, **coloring}[parameter]


def methods() -> dict[str, asks | lists]:
    """Every method of the client and of its store that sends a request; `picture` finds its address in an answer."""
    return {
        name: method
        for kind in (ServiceQuestions, StoreQuestions)
        for name, method in inspect.getmembers(kind)
        if isinstance(method, asks | lists) and name != "picture"
    }


def call(name: str) -> Call:
    """The request that a method makes with all of its arguments."""
    sent = []

    def note(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(404)

    method = methods()[name]
    given = arguments(method)
    with Client("http://x", transport=httpx.MockTransport(note)) as client:
        asking = client.store(STORE) if hasattr(StoreQuestions, name) else client
        with pytest.raises(ServiceError):
            answer = getattr(asking, name)(**given)
            if isinstance(answer, Pages):
                answer.all()
    (request,) = sent
    return Call(given, request)


def arguments(method: asks | lists) -> dict[str, Any]:
    """A value for each parameter of a method, none like another."""
    make = method._make
    names = vars(sys.modules[make.__module__]) | SORTS
    parameters = list(inspect.signature(make, eval_str=True, globals=names).parameters.values())[1:]
    numbers = count(11)
    return {one.name: value(one.name, one.annotation, numbers) for one in parameters}


def value(name: str, kind: Any, numbers: "count[int]") -> Any:
    """A value of a type."""
    for type_, example in EXAMPLES:
        if kind == type_:
            return example
    if kind is str:
        return f"a {name}"
    if kind in (int, float):
        return kind(next(numbers))
    if get_origin(kind) is Literal:
        return get_args(kind)[-1]
    if get_origin(kind) in (Union, UnionType):
        return value(name, get_args(kind)[0], numbers)
    assert is_dataclass(kind), (name, kind)
    return kind(**{field.name: value(field.name, field.type, numbers) for field in fields(kind)})


def text(argument: Any) -> str:
    """An argument as addresses hold it."""
    if argument is CORNERS:
        return ";".join(f"{x:.4f},{y:.4f}" for x, y in CORNERS)
    if isinstance(argument, bool):
        return str(argument).lower()
    return ",".join(map(str, argument)) if isinstance(argument, tuple) else str(argument)
