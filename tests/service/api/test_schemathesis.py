"""Generated requests against the OpenAPI document: no breach of it, and no 5xx but the one for want of a model.

Half of the requests name what the store has: otherwise nearly all would end at a `404`.
UNITSCOPE_REQUESTS is how many there are in all, about: 500 unless it is set.
"""

import io
import math
import os
import re
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from unitscope.service.app import create_app
from unitscope.service.live.options import LiveOptions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Generating overly large repr:hypothesis.errors.HypothesisWarning"),
]

REQUESTS = int(os.environ.get("UNITSCOPE_REQUESTS", "500"))
LIVE = ("/maps/", "/live", "/filters", "/upload", "-of-region")
"""In the addresses of what asks the model."""
ARROW = "application/vnd.apache.arrow.stream"
ACCEPTS = ["application/json", ARROW, f"{ARROW};q=0.5, */*;q=0.1", "text/html", "*/*", ";;q=,"]
ODD_LABELS = ["a/b", "", " ", "o'clock", '"', "\n", "é\U0001f600", "x" * 900, "null", "..", "%2F", None]


def small_picture():
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 90, 20)).save(file, "JPEG")
    return file.getvalue()


KNOWN = {
    "image_id": [0, 5, 59, 70, 199],
    "image": [1, 5, 59, 70],
    "unit": [0, 3, 16],
    "rank": [1, 9],
    "atlas": ["flat", "pca"],
    "label_index": [0, 1, 3],
    "level": [0, 3, 6],
    "column": [0, 1],
    "row": [0, 1],
    "grid": ["nearest", "assigned", "scatter"],
    "x": [0.5, 3],
    "y": [2, 0.25],
    "kind": ["units", "activations"],
    "item": [0, 5, 40],
    "sample": [0, 5, 59, 60],
    "region_atlas": ["flat", "pca"],
    "region_store": ["store"],
    "region_grid": ["nearest", "assigned"],
    "by": ["density", "column", "unit", "where", "region"],
    "region": ["0,0;9,0;9,9", "1.5,1;4,1;4,4;-1,4"],
    "other": ["store"],
    "column_of_tile": [0, 1],
    "box": ["0,0,20,20", "-5,3,900,17", "5,5,1,1"],
    "where": ["correct", "label = 'a/b'", "loss > 0.5 and not correct", "label = 'o''clock'", "1", "loss >"],
    "space": ["features", "pixels"],
}
"""What the stores of these tests have, and a little that they have not, by parameter."""
BODIES = {"application/json": {"vector": [0.5] * 7, "k": 3}, "image/jpeg": small_picture()}
OPTIONAL = {"where", "space", "label", "grid", "unit", "level", "region_atlas", "region_store", "region_grid"}
"""In a query: named now and then."""
UNFORESEEN = re.compile(r"urn:unitscope:(filter|image|request(?! [\w.]+: ))")
"""Of 422 problems those that no schema can foresee: a filter, a file's content, numbers that do not go together.

A parameter that is refused for its own form is told of as `parameter: why`; the document should have told that before.
"""
CHECKED = schemathesis.Config.from_dict(
    {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 404, 406, 409, 410]}}}
)


def generated(operation, known):
    """Requests to one operation, of both modes, with and without what the store has."""
    strategies = []
    for mode in GenerationMode:
        strategies += [operation.as_strategy(mode), operation.as_strategy(mode)]
        for turn in range(6):
            path = chosen(operation.path_parameters, known, turn, ())
            query = chosen(operation.query, known, turn, OPTIONAL if turn % 2 else ())
            strategies.append(operation.as_strategy(mode, path_parameters=path, query=query))
            if operation.method == "post":
                kind = next(iter(operation.definition.raw["requestBody"]["content"]))
                sent = {"body": BODIES[kind], "media_type": kind}
                strategies.append(operation.as_strategy(mode, path_parameters=path, query=query, **sent))
    return st.tuples(st.one_of(strategies), st.sampled_from(ACCEPTS))


def chosen(parameters, known, turn, left_out):
    """One value for each parameter, another in each turn; None where there is nothing to say."""
    names = [one.name for one in parameters if one.name in known and one.name not in left_out]
    return {
        name: known[name][(turn + 5 * place) % len(known[name])] for place, name in enumerate(names)
    } or None


def judge(case, response, *, model):
    """Every check of schemathesis; but some requests can be refused although the schema allows them."""
    excluded = []
    if response.status_code == 503:
        assert response.json()["type"] == "urn:unitscope:live-model", response.text
        assert not model, response.text
        excluded += [schemathesis.checks.not_a_server_error, positive_data_acceptance]
    elif response.status_code == 422 and UNFORESEEN.match("{type} {detail}".format(**response.json())):
        excluded += [positive_data_acceptance]
    case.validate_response(response, excluded_checks=excluded)


def ask(app, known, requests, *, of=lambda path: True, model=False):
    """Sends generated requests to each operation; gives how often each status came."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=CHECKED)
    operations = [one for one in (result.ok() for result in schema.get_all_operations()) if of(one.path)]
    each, statuses, failures = math.ceil(requests / len(operations)), Counter(), []
    for operation in operations:

        @settings(
            max_examples=each,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(generated(operation, KNOWN | known))
        def run(request):
            case, accept = request
            response = case.call(headers={"Accept": accept}, timeout=120)
            statuses[response.status_code] += 1
            judge(case, response, model=model)

        try:
            run()
        except Exception as failure:  # noqa: BLE001 - all operations are asked before any is told of
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"{len(failures)} operations break the document", failures)
    return statuses


def oddly_labelled(made):
    labels = [ODD_LABELS[image % len(ODD_LABELS)] for image in range(made.images.num_rows)]
    made.images = made.images.set_column(made.images.schema.get_field_index("label"), "label", [labels])


def test_every_answer_of_a_store_with_odd_labels_is_as_documented(synthetic, kit, tmp_path):
    """Without a model: then its requests, and no others, get a documented 503."""
    made = synthetic.make_store(tmp_path / "store", dataset=tmp_path / "data", change=oddly_labelled)
    kit.index(made)
    kit.atlas(made)
    layers = [layer.layer for layer in made.layers]
    known = {"store": ["store"], "layer": layers, "label": ODD_LABELS[:-1]}
    statuses = ask(create_app([made.url], live=None), known, 0.7 * REQUESTS)
    print(f"\n{statuses.total()} requests: {dict(sorted(statuses.items()))}")
    assert statuses.total() >= 0.5 * REQUESTS
    assert statuses[200] > 0.1 * statuses.total()
    assert statuses[503]


def test_every_answer_of_the_model_is_as_documented(swept):
    app = create_app([str(swept)], live=LiveOptions())
    known = {"store": ["shapes"], "layer": ["stem.0", "block", "head.2"], "label": ["a"]}

    def asks(path):
        return any(word in path for word in LIVE)

    try:
        statuses = ask(app, known, 0.2 * REQUESTS, of=asks, model=True)
    finally:
        app.state.live.close()
    print(f"\n{statuses.total()} requests: {dict(sorted(statuses.items()))}")
    assert statuses[200] > 0.1 * statuses.total()


def test_every_answer_of_an_atlas_is_as_documented(mapped):
    known = {
        "store": ["mapped"],
        "atlas": ["pca", "units:block", "activations:block"],
        "layer": ["block"],
        "level": [0, 1],
        "column": [0],
        "row": [0],
        "item": [0, 5],
        "sample": [0, 5],
    }
    known |= {
        "column_of_tile": [0],
        "by": ["density", "unit"],
        "where": ["max > 0", "image_id >= 0", "max >"],
    }
    statuses = ask(
        create_app([str(mapped)], live=None), known, 0.3 * REQUESTS, of=lambda path: "/{atlas}" in path
    )
    print(f"\n{statuses.total()} requests: {dict(sorted(statuses.items()))}")
    assert statuses[200] > 0.1 * statuses.total()
