"""The examples in the docstrings of the entry points run and print what they show, on a small store."""

import doctest
import importlib.util
import sys
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from unitscope.index import where
from unitscope.index.atlas import Atlas, StoreAtlas, write_atlas
from unitscope.index.datasets import open_dataset
from unitscope.index.format import Manifest
from unitscope.index.neighbors import NeighborIndex
from unitscope.index.neighbors.build import blocks_of, build
from unitscope.index.stats import TopK
from unitscope.index.store import Store
from unitscope.jobs.sweep import sweep
from unitscope.model import list_layers, load_model
from unitscope.model.receptive_field import receptive_fields
from unitscope.service import create_app
from unitscope.service.client import Client

ENTRY_POINTS = (
    Store, Client, open_dataset, load_model, list_layers, NeighborIndex, Atlas, StoreAtlas, where.parse, TopK, sweep,
    receptive_fields,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(synthetic, tmp_path_factory):
    """A folder with `photos`, a `store` of them with an index and the atlas `umap`, and `network.py`."""
    folder = tmp_path_factory.mktemp("examples")
    made = synthetic.make_store(folder / "store", dataset=folder / "photos", images=64, failed=())
    store = Manifest.read(made.folder).hash
    valid = np.ones(len(made.feature), bool)
    build(blocks_of(made.feature, valid), made.feature.shape[1], made.folder, store=store, seed=0)
    coordinates = np.random.default_rng(0).random((len(made.feature), 2), dtype=np.float32)
    images, settings = np.arange(len(made.feature)), {"method": "drawn", "seed": 0}
    write_atlas(made.folder, "umap", images, coordinates, side=6, settings=settings, store=store)
    (folder / "network.py").write_text(material().NETWORK)
    return folder


def material():
    """The module tests/jobs/conftest.py, which holds a small network."""
    spec = importlib.util.spec_from_file_location(
        "jobs_material", Path(__file__).parent / "jobs" / "conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def answer(service: TestClient, request: httpx.Request) -> httpx.Response:
    """A response of the service in this process: the address in an example is of nobody."""
    response = service.request(request.method, request.url.raw_path.decode(), headers=request.headers)
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: entry.__name__)
def test_an_example_prints_what_it_shows(entry, folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (found,) = doctest.DocTestFinder(recurse=False).find(entry, entry.__name__, globs={})
    assert found.examples
    failed: list[str] = []
    with TestClient(create_app(["store"])) as service:
        local = partial(Client, transport=httpx.MockTransport(lambda request: answer(service, request)))
        monkeypatch.setattr("unitscope.service.client.Client", local)
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=failed.append)
    assert not failed, "".join(failed)
