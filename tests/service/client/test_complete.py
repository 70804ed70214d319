"""The client asks everything that the API answers, says what it means, and needs little."""

import inspect
import json
import subprocess
import sys
from dataclasses import fields

import httpx
import pytest
from client_calls import call, methods, operations, text
from unitscope.index.format.layer_row import Branch, LayerRow
from unitscope.service.client import Client
from unitscope.service.schemas import VectorQuery
from unitscope.service.schemas.stores import BranchAnswer, LayerAnswer

IMPORTS = """
import sys
import unitscope.service.client
never = {"fastapi", "starlette", "torch", "faiss", "ray", "pandas"}
print(sorted({name.split(".")[0] for name in sys.modules} & never))
"""

# Operations that no method sends: for pages and their script, of a class that a method finds by its label, or at an
# address that answers hold.
WITHOUT_A_METHOD = {
    "/layers/{layer}/units/{unit}/patches/{rank}/picture",
    "/images/{image_id}/maps/{layer}/facts",
    "/layers/{layer}/filters/facts",
    "/class",
    "/label-indices/{label_index}/class",
}
# Of the query: the version of a picture, and what the pages of a table are made of.
NOT_PARAMETERS = {"v", "cursor", "limit"}
NOT_SENT = {"maps": {"overlay"}}


@pytest.fixture(scope="module")
def document(url):
    return httpx.get(f"{url}/openapi.json").json()


@pytest.fixture(scope="module")
def reached(document):
    """The operations of the API, and of each method of the client the call and the operation that it reaches."""
    offered = operations(document)
    calls = {name: call(name) for name in methods()}
    return offered, {
        name: (made, next((one for one in offered if one.match(made.request) is not None), None))
        for name, made in calls.items()
    }


def test_every_operation_of_the_api_has_one_method(reached):
    """An address that is added to the API is missed here until the client has it."""
    offered, calls = reached
    asked = [operation for _, operation in calls.values()]
    left_out = {
        operation.path.removeprefix("/api/v1/stores/{store}") for operation in set(offered) - set(asked)
    }
    assert left_out == set(WITHOUT_A_METHOD)
    assert len(asked) == len(set(asked)) > 40, "two methods for one operation"
    assert None not in asked


@pytest.mark.parametrize("name", methods())
def test_a_method_sends_what_the_document_has(name, reached):
    made, operation = reached[1][name]
    sent = dict(made.request.url.params)
    assert operation.required <= set(sent) <= operation.query
    assert set(sent) | NOT_PARAMETERS | NOT_SENT.get(name, set()) >= operation.query
    for parameter, there in (operation.match(made.request) | sent).items():
        if parameter not in NOT_PARAMETERS:
            assert there == text(made.value(parameter)), parameter


def test_the_body_of_a_vector_is_as_the_document_has_it(reached):
    made, _ = reached[1]["neighbors_of_vector"]
    assert set(json.loads(made.request.content)) == set(VectorQuery.model_fields)


def test_every_method_is_documented_and_has_its_signature():
    assert len(methods()) > 40
    for name, method in methods().items():
        assert method.__doc__, name
        assert next(iter(inspect.signature(method).parameters)) == "self", name
    signature = inspect.signature(Client("http://x").store("s").patches)
    assert list(signature.parameters)[1:] == ["layer", "unit", "k", "where", "quantile"]


def test_a_layer_s_answer_is_all_of_its_row():
    """It is written out again, so that the client has its types and does not need the index."""
    assert set(LayerAnswer.model_fields) == {field.name for field in fields(LayerRow)}
    assert set(BranchAnswer.model_fields) == {field.name for field in fields(Branch)}


def test_it_needs_neither_torch_nor_the_web_framework():
    run = subprocess.run([sys.executable, "-P", "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
