"""The client asks everything that the API answers, says what it means, and needs little."""

import inspect
import subprocess
import sys
from dataclasses import fields

import httpx
import pytest
from unitscope.index.format.layer_row import Branch, LayerRow
from unitscope.service.client import Client, Coloring, ServiceError
from unitscope.service.client.endpoint import asks, lists
from unitscope.service.client.store_endpoints import StoreQuestions
from unitscope.service.schemas.stores import BranchAnswer, LayerAnswer

IMPORTS = """
import sys
import unitscope.service.client
never = {"fastapi", "starlette", "torch", "faiss", "ray", "pandas"}
print(sorted({name.split(".")[0] for name in sys.modules} & never))
"""
DENSITY = Coloring("density")
CORNERS = [(0, 0), (9, 0), (9, 9)]


def test_every_question_is_documented_and_has_its_signature():
    methods = {name: one for name, one in inspect.getmembers(StoreQuestions) if isinstance(one, asks | lists)}
    assert len(methods) > 35
    for name, method in methods.items():
        assert method.__doc__, name
        assert next(iter(inspect.signature(method).parameters)) == "self", name
    signature = inspect.signature(Client("http://x").store("s").patches)
    assert list(signature.parameters)[1:] == ["layer", "unit", "k", "where", "quantile"]


def test_every_table_and_picture_of_the_api_has_its_question(url):
    """An address that is added to the API is missed here until the client knows it."""
    document = httpx.get(f"{url}/openapi.json").json()
    left_out = ("/class", "/facts", "patches/{rank}/picture")
    asked = set()

    def note(request):
        asked.add((request.method, request.url.path))
        return httpx.Response(404)

    with Client("http://x", transport=httpx.MockTransport(note)) as client:
        store = client.store("{store}")
        for ask in (
            client.stores, store.about, store.overview, store.layers, store.atlases, store.live,
            lambda: store.units("{layer}").all(), lambda: store.unit("{layer}", "{unit}"),
            lambda: store.patches("{layer}", "{unit}"), lambda: store.unit_classes("{layer}", "{unit}").all(),
            lambda: store.similar_units("{layer}", "{unit}"), lambda: store.images().all(),
            lambda: store.image("{image_id}"), lambda: store.image_units("{image_id}"), lambda: store.classes().all(),
            lambda: store.one_class("{label}"), lambda: store.neighbors(1), lambda: store.neighbors_of_vector([1]),
            lambda: store.neighbors_of_upload(b"1"), lambda: store.neighbors_of_region("{image_id}", (0, 0, 1, 1)),
            lambda: store.atlas("{atlas}"), lambda: store.grid("{atlas}"), lambda: store.pixels("{image_id}"),
            lambda: store.thumb("{image_id}"), lambda: store.crop("{image_id}", (0, 0, 1, 1)),
            lambda: store.maps("{image_id}", "{layer}"), lambda: store.map_values("{image_id}", "{layer}"),
            lambda: store.filters("{layer}"), lambda: store.frame(b"1", "conv"),
            lambda: store.tiles("{atlas}", "{grid}"),
            lambda: store.tile("{atlas}", "{grid}", "{level}", column="{column}", row="{row}"),
            lambda: store.at("{atlas}", 1, 2), lambda: store.where("{atlas}", 3),
            lambda: store.overlays("{atlas}"), lambda: store.legend("{atlas}", DENSITY),
            lambda: store.overlay_value("{atlas}", "{item}", DENSITY),
            lambda: store.overlay_tile("{atlas}", "{grid}", "{level}", DENSITY, column="{column_of_tile}", row="{row}"),
            lambda: store.clusters("{atlas}"), lambda: store.region("{atlas}", CORNERS),
            lambda: store.region_items("{atlas}", CORNERS).all(), lambda: store.region_units("{atlas}", CORNERS),
            lambda: store.extent("{atlas}", "true"), lambda: store.counterpart("{image_id}", "other"),
            lambda: store.sample_picture("{atlas}", "{sample}"),
        ):  # fmt: skip
            with pytest.raises(ServiceError):
                ask()
    there = {
        (method.upper(), path.replace(":path}", "}"))
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/api/") and not path.endswith(left_out)
    }
    assert asked == there


def test_a_layer_s_answer_is_all_of_its_row():
    """It is written out again, so that the client has its types and does not need the index."""
    assert set(LayerAnswer.model_fields) == {field.name for field in fields(LayerRow)}
    assert set(BranchAnswer.model_fields) == {field.name for field in fields(Branch)}


def test_it_needs_neither_torch_nor_the_web_framework():
    run = subprocess.run([sys.executable, "-P", "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
